#!/usr/bin/env bash
# LangChain's OpenAI classes against this server: a chat and a completion, streamed and whole, must give one text.
#
#   scripts/langchain-client.sh [model package]
#
# Needs Python 3.10 or newer; LangChain's virtual environment stays in ~/.cache/calm-serve.
set -euo pipefail

. "$(dirname "$0")/client-setup.sh"

version=1.7.3
log=$(mktemp)
trap 'stop_calm; rm -f "$log"' EXIT
prepare_client langchain-openai "$version" "langchain-openai==$version"
start_calm "$log" ${1:+--model "$1"}
CALM_MODEL=$(first_model)
export CALM_MODEL CALM_BASE="$base/v1"

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
