#!/usr/bin/env bash
# Schemathesis against the server's own OpenAPI document: first its edge cases for every field (some 3000), then random
# bodies. No answer may be a 5xx, and each must have a documented status, media type, headers and body; what breaks the
# schema must be refused, and what keeps it must not; only the key opens what is protected.
#
#   scripts/schemathesis.sh [cases per operation, 150] [model package]
#
# Settings and further checks: scripts/schemathesis/. Needs Python 3.10 or newer; the virtual environment stays in
# ~/.cache/calm-serve. Takes two minutes on two idle cores; `npm run fuzz` is a shorter one, of random bodies.
# PHASES=fuzzing leaves the edge cases out; TLS=1 asks over HTTPS, with the tests' certificate.
set -euo pipefail

. "$(dirname "$0")/client-setup.sh"

version=4.32.5
work=$(mktemp -d)
trap 'stop_calm; rm -rf "$work"' EXIT
prepare_client schemathesis "$version" "schemathesis==$version" openapi-spec-validator
tls=() trust=()
if [ -n "${TLS:-}" ]; then
  certificate="$root/tests/fixtures/tls/certificate.pem"
  tls=(--ssl-certfile "$certificate" --ssl-keyfile "$root/tests/fixtures/tls/key.pem")
  trust=(--tls-verify "$certificate")
  export NODE_EXTRA_CA_CERTS=$certificate
fi
# A short context bounds what a request costs that asks for 2^53 tokens.
start_calm "$work/log" --device cpu --threads 1 --max-model-len 16 --api-key fuzz "${tls[@]}" ${2:+--model "$2"}

read_json() {
  node -e "fetch('$base$1', { headers: { 'x-api-key': 'fuzz' } }).then(answer => answer.json()).then(json => console.log($2))"
}
read_json /openapi.json 'JSON.stringify(json)' >"$work/openapi.json"
"$venv/bin/python" -m openapi_spec_validator "$work/openapi.json"

# Run from a folder of its own: it leaves notes where it runs.
cp "$root"/scripts/schemathesis/* "$work"
cd "$work"
export CALM_SERVED_MODELS SCHEMATHESIS_HOOKS=hooks PYTHONPATH="$work" PYTHONDONTWRITEBYTECODE=1
CALM_SERVED_MODELS=$(read_json /v1/models 'json.data.map(({ id }) => id).join(",")')
failed=0
for phase in ${PHASES:-examples,coverage fuzzing}; do
  "$venv/bin/schemathesis" --config-file schemathesis.toml run "$base/openapi.json" \
    --header 'Authorization: Bearer fuzz' "${trust[@]}" --phases "$phase" --max-examples "${1:-150}" || failed=1
done

printf 'Answers by status:\n'
grep -o '"status":[0-9]*' "$work/log" | sort | uniq -c
if grep '"level":"error"' "$work/log"; then failed=1; fi
exit "$failed"
