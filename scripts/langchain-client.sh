#!/usr/bin/env bash
# LangChain's OpenAI classes against this server: a chat and a completion, streamed and whole, must give one text.
#
#   scripts/langchain-client.sh [model package]
#
# Needs Python 3.10 or newer; LangChain's virtual environment stays in ~/.cache/calm-serve.
set -euo pipefail

version=1.7.3
root=$(cd "$(dirname "$0")/.." && pwd)
venv="${XDG_CACHE_HOME:-$HOME/.cache}/calm-serve/langchain-openai-$version"
log=$(mktemp)

if [ ! -e "$venv/ready" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet "langchain-openai==$version"
  touch "$venv/ready"
fi

arguments=(--port 0)
[ $# -gt 0 ] && arguments+=(--model "$1")
node "$root/bin/calm.js" serve "${arguments[@]}" >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f "$log"' EXIT
until grep -qo 'on http://[^ ]*' "$log"; do
  kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.2
done
export CALM_BASE="$(grep -o 'on http://[^ ]*' "$log" | head -n 1 | cut -d' ' -f2)/v1"
CALM_MODEL=$(node -e "fetch('$CALM_BASE/models').then(answer => answer.json()).then(({ data }) => console.log(data[0].id))")
export CALM_MODEL

"$venv/bin/python" - <<'PYTHON'
import os

from langchain_openai import ChatOpenAI, OpenAI

shared = {
    "model": os.environ["CALM_MODEL"],
    "base_url": os.environ["CALM_BASE"],
    "api_key": "none",
    "seed": 1,
    "max_tokens": 40,
    "max_retries": 0,
    "extra_body": {"num_candidates": 50},
}
chat = ChatOpenAI(**shared)
answer = chat.invoke("The Red Kite")
pieces = [part.content for part in chat.stream("The Red Kite") if part.content]
assert answer.content and "".join(pieces) == answer.content, (pieces, answer)
assert len(pieces) > 1 and answer.usage_metadata["output_tokens"] > 0, (pieces, answer)
print(f"chat: {len(pieces)} pieces: {answer.content!r}")

completion = OpenAI(**shared)
text = completion.invoke("The Red Kite")
pieces = [part for part in completion.stream("The Red Kite") if part]
assert text and "".join(pieces) == text and len(pieces) > 1, (pieces, text)
print(f"completion: {len(pieces)} pieces: {text!r}")
PYTHON
