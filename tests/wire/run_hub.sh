#!/usr/bin/env bash
# A hub as the conformance suite expects it (conformance/README.md), in the foreground.
#   CONF_PORT   public port on 127.0.0.1 (default 18000)
#   CONF_STATE  folder for everything on disk (default: a fresh one)
# Uses the project's .venv, and makes it on a fresh clone.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
: "${CONF_PORT:=18000}" "${CONF_STATE:=$(mktemp -d)}" "${APPHUB_VENV:=$top/.venv}"
mkdir -p "$CONF_STATE"
if [ ! -x "$APPHUB_VENV/bin/apphub" ]; then
    make -s -C "$top" install >&2
fi
python=$(readlink -f "$APPHUB_VENV/bin/python")
sed -e "s|CONF_PYTHON|$python|" -e "s|CONF_SINGLEUSER|$here/conformance/reference/conf_singleuser.py|" \
    "$here/hub.yaml" >"$CONF_STATE/apphub.yaml"
apphub=$APPHUB_VENV/bin/apphub
unset APPHUB_VENV # to the hub, every APPHUB_… is a setting
exec "$apphub" serve --config "$CONF_STATE/apphub.yaml" \
    --data-dir "$CONF_STATE/data" --bind "127.0.0.1:$CONF_PORT"
