#!/usr/bin/env bash
# A hub under the benchmark (driver contract: bench/README.md), in the foreground.
# Uses the project's .venv, and makes it on a fresh clone.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
: "${BENCH_PORT:=8000}" "${BENCH_HUB_PORT:=8081}" "${BENCH_STATE:=$(mktemp -d)}" "${BENCH_VARIANT:=tuned}"
: "${BENCH_TOKEN:=bench-token-0123456789abcdef0123456789abcdef}" "${BENCH_DB_URL:=}"
: "${APPHUB_VENV:=$top/.venv}"
mkdir -p "$BENCH_STATE"
if [ -z "${BENCH_TINY:-}" ]; then
    BENCH_TINY=$BENCH_STATE/tinyserver
    [ -x "$BENCH_TINY" ] || cc -O2 -o "$BENCH_TINY" "$here/bench/tiny/tinyserver.c"
fi
if [ ! -x "$APPHUB_VENV/bin/apphub" ]; then
    make -s -C "$top" install >&2
fi
limits='{named_servers_per_user: 0}'
if [ "$BENCH_VARIANT" = tuned ]; then
    limits='{named_servers_per_user: 0, concurrent_starts: 0, active_servers: 0}'
fi
cat >"$BENCH_STATE/apphub.yaml" <<YAML
hub_bind: 127.0.0.1:$BENCH_HUB_PORT
login:
  password: {enabled: false}
  shared_password: {password: bench-password}
  admins: [admin]
services:
  - {name: bench, api_token: $BENCH_TOKEN, roles: [admin]}
limits: $limits
timeouts: {start: 180s}
log_level: warning
profiles:
  - slug: tiny
    groups: everyone
    default: true
    auth: hub
    extra_options: allow
    command: ["$BENCH_TINY"]
YAML
if [ -n "$BENCH_DB_URL" ]; then
    printf 'database: "%s"\n' "$BENCH_DB_URL" >>"$BENCH_STATE/apphub.yaml"
fi
exec env -u APPHUB_VENV "$APPHUB_VENV/bin/apphub" serve --config "$BENCH_STATE/apphub.yaml" \
    --data-dir "$BENCH_STATE/data" --bind "127.0.0.1:$BENCH_PORT"
