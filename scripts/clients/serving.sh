# Sourced by scripts/try-*: makes a small corpus, serves it on a free port of loopback, and ends the server at exit.
# FLOWSIFT names the program; by default it is built. Sets PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE, and `work`,
# a folder for the client's own files. The array `serve_options` adds options of the server, ROWS sets the size of the
# corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [[ -z "${FLOWSIFT:-}" ]]; then
    cargo build --quiet --locked
    FLOWSIFT="${CARGO_TARGET_DIR:-target}/debug/flowsift"
fi
work=$(mktemp -d)
server=
finish() {
    [[ -z "$server" ]] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
"$FLOWSIFT" generate --out "$work/corpus" --rows "${ROWS:-20000}" --hosts 20 --hours 2 --attacks scripts/clients/attacks.toml --start 2023-11-22 --seed 7 --quiet
export PGHOST=127.0.0.1 PGUSER=flowsift PGDATABASE=flowsift PGPASSWORD=of-this-run PAGER=cat
FLOWSIFT_PASSWORD=$PGPASSWORD "$FLOWSIFT" serve "$work/corpus" --postgres 127.0.0.1:0 --threads 2 \
    ${serve_options[@]+"${serve_options[@]}"} 2>"$work/said" &
server=$!
for _ in $(seq 600); do
    PGPORT=$(sed -n 's/^listening on 127.0.0.1:\([0-9]*\) .*/\1/p' "$work/said")
    [[ -z "$PGPORT" ]] || break
    kill -0 "$server" 2>/dev/null || { cat "$work/said" >&2; exit 1; }
    sleep 0.1
done
export PGPORT

# Where clients of registries are kept between runs.
clients="${XDG_CACHE_HOME:-$HOME/.cache}/flowsift/clients"
mkdir -p "$clients"
