#!/usr/bin/env bash
# LiteLLM against this server, as a Python client and as a proxy in front of it: completions and chats, streamed and
# whole, must give the text that the server gives itself for the same seed, and the same usage.
#
#   scripts/litellm-client.sh [model package]
#
# Needs Python 3.10 or newer; LiteLLM's virtual environment stays in ~/.cache/calm-serve.
set -euo pipefail

version=1.106.2
root=$(cd "$(dirname "$0")/.." && pwd)
venv="${XDG_CACHE_HOME:-$HOME/.cache}/calm-serve/litellm-$version"
work=$(mktemp -d)
: >"$work/log"

if [ ! -e "$venv/ready" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet "litellm[proxy]==$version"
  touch "$venv/ready"
fi

arguments=(--port 0)
[ $# -gt 0 ] && arguments+=(--model "$1")
node "$root/bin/calm.js" serve "${arguments[@]}" >"$work/log" 2>&1 &
server=$!
proxy=
trap 'kill "$server" $proxy 2>/dev/null || true; rm -rf "$work"' EXIT
until grep -qo 'on http://[^ ]*' "$work/log"; do
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.2
done
export CALM_BASE="$(grep -o 'on http://[^ ]*' "$work/log" | head -n 1 | cut -d' ' -f2)/v1"
export CALM_MODEL=$(node -e "fetch('$CALM_BASE/models').then(answer => answer.json()).then(({ data }) => console.log(data[0].id))")
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
