#!/usr/bin/env bash
# The `llm` command-line client against this server: a chat and a completion, streamed and whole, must give one text.
#
#   scripts/llm-client.sh [model package]
#
# Needs Python 3.10 or newer; the client's virtual environment stays in ~/.cache/calm-serve.
set -euo pipefail

. "$(dirname "$0")/client-setup.sh"

version=0.36
work=$(mktemp -d)
trap 'stop_calm; rm -rf "$work"' EXIT
prepare_client llm "$version" "llm==$version"
start_calm "$work/log" ${1:+--model "$1"}
name=$(first_model)

export LLM_USER_PATH="$work" OPENAI_API_KEY=none
cat >"$work/extra-openai-models.yaml" <<YAML
- { model_id: chat, model_name: "$name", api_base: "$base/v1" }
- { model_id: completion, model_name: "$name", api_base: "$base/v1", completion: true }
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
