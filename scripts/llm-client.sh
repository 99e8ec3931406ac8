#!/usr/bin/env bash
# The `llm` command-line client against this server: a chat and a completion, streamed and whole, must give one text.
#
#   scripts/llm-client.sh [model package]
#
# Needs Python 3.10 or newer; the client's virtual environment stays in ~/.cache/calm-serve.
set -euo pipefail

version=0.36
root=$(cd "$(dirname "$0")/.." && pwd)
venv="${XDG_CACHE_HOME:-$HOME/.cache}/calm-serve/llm-$version"
work=$(mktemp -d)
: >"$work/log"

if [ ! -e "$venv/ready" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet "llm==$version"
  touch "$venv/ready"
fi

arguments=(--port 0)
[ $# -gt 0 ] && arguments+=(--model "$1")
node "$root/bin/calm.js" serve "${arguments[@]}" >"$work/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
until grep -qo 'on http://[^ ]*' "$work/log"; do
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.2
done
base="$(grep -o 'on http://[^ ]*' "$work/log" | head -n 1 | cut -d' ' -f2)/v1"
name=$(node -e "fetch('$base/models').then(answer => answer.json()).then(({ data }) => console.log(data[0].id))")

export LLM_USER_PATH="$work" OPENAI_API_KEY=none
cat >"$work/extra-openai-models.yaml" <<YAML
- { model_id: chat, model_name: "$name", api_base: "$base" }
- { model_id: completion, model_name: "$name", api_base: "$base", completion: true }
YAML

ask() {
  "$venv/bin/llm" --no-log --model "$@" --option max_tokens 40 --option seed 1 'The Red Kite'
}
for model in chat completion; do
  streamed=$(ask "$model")
  whole=$(ask "$model" --no-stream)
  if [ -z "$whole" ] || [ "$streamed" != "$whole" ]; then
    printf '%s: streamed "%s", whole "%s"\n' "$model" "$streamed" "$whole" >&2
    exit 1
  fi
  printf '%s: %s\n' "$model" "$whole"
done
