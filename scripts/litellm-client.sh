#!/usr/bin/env bash
# LiteLLM against this server, as a Python client and as a proxy in front of it: completions and chats, streamed and
# whole, must give the text that the server gives itself for the same seed, and the same usage.
#
#   scripts/litellm-client.sh [model package]
#
# Needs Python 3.10 or newer; LiteLLM's virtual environment stays in ~/.cache/calm-serve.
set -euo pipefail

. "$(dirname "$0")/client-setup.sh"

version=1.106.2
work=$(mktemp -d)
proxy=
trap 'stop_calm; kill $proxy 2>/dev/null || true; rm -rf "$work"' EXIT
prepare_client litellm "$version" "litellm[proxy]==$version"
start_calm "$work/log" ${1:+--model "$1"}
CALM_MODEL=$(first_model)
export CALM_MODEL CALM_BASE="$base/v1"
# LiteLLM would fetch its table of prices from the network.
export LITELLM_LOCAL_MODEL_COST_MAP=True

"$venv/bin/python" "$root/scripts/litellm_client.py"

cat >"$work/config.yaml" <<YAML
model_list:
  - model_name: stories
    litellm_params: { model: "openai/$CALM_MODEL", api_base: "$CALM_BASE", api_key: none }
  - model_name: stories-completion
    litellm_params: { model: "text-completion-openai/$CALM_MODEL", api_base: "$CALM_BASE", api_key: none }
YAML
# The proxy starts only with a key of its own.
LITELLM_MASTER_KEY="sk-$(node -p 'crypto.randomUUID()')"
export LITELLM_MASTER_KEY
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
"$venv/bin/litellm" --config "$work/config.yaml" --host 127.0.0.1 --port "$port" >"$work/proxy.log" 2>&1 &
proxy=$!
export PROXY_BASE="http://127.0.0.1:$port/v1"
until node -e "fetch('http://127.0.0.1:$port/health/liveliness').then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"; do
  kill -0 "$proxy" 2>/dev/null || { cat "$work/proxy.log" >&2; exit 1; }
  sleep 1
done
"$venv/bin/python" "$root/scripts/litellm_client.py" || { tail -n 40 "$work/proxy.log" >&2; exit 1; }
