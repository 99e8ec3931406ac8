# Sourced by the scripts that put a Python client in front of this server: installs the client once, starts the server.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
clients="${XDG_CACHE_HOME:-$HOME/.cache}/calm-serve"
server=

# prepare_client <package> <version> <pip arguments>: sets `venv`, and says which version is in it.
prepare_client() {
  local package=$1 version=$2
  shift 2
  venv="$clients/$package-$version"
  if [ ! -e "$venv/ready" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "$@"
    touch "$venv/ready"
  fi
  say_version "$venv/bin/python" "$package"
}

# say_version <python> <package>: what is installed, not what was asked for.
say_version() {
  "$1" -c 'import sys; from importlib.metadata import version; print(sys.argv[1], version(sys.argv[1]))' "$2"
}

# start_calm <log file> <arguments of calm serve>: on a free port; sets `server`, its process, and `base`, its URL.
start_calm() {
  local log=$1
  shift
  : >"$log"
  node "$root/bin/calm.js" serve --port 0 "$@" >"$log" 2>&1 &
  server=$!
  until grep -qoE 'on https?://[^ ]*' "$log"; do
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.2
  done
  base=$(grep -oE 'on https?://[^ ]*' "$log" | head -n 1 | cut -d' ' -f2)
}

stop_calm() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
}

# The name of the first served model.
first_model() {
  node -e "fetch('$base/v1/models').then(answer => answer.json()).then(({ data }) => console.log(data[0].id))"
}
