#!/usr/bin/env bash
# A desktop in the browser: start.sh PORT [PROGRAM ...]
#
# An X server without a screen, a window manager, a program, and a bridge from websockets to the X server's
# protocol. The server's display is as private as its files: a socket below its home, no TCP port, no password.
set -euo pipefail
port=$1
shift
[ $# -gt 0 ] || set -- xterm -fa Monospace -fs 14 -geometry 80x24+40+40
run=$(mktemp -d "${HOME}/.desktop-XXXXXX")
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$run"' EXIT
trap 'exit 0' INT TERM

export XAUTHORITY=$run/authority
cookie=$(mcookie)
xauth -q add :0 . "$cookie" # read by the server whatever its number will be
# The X server takes the first display that is free, and says which.
Xtigervnc -displayfd 3 -auth "$XAUTHORITY" -SecurityTypes None -rfbport -1 -rfbunixpath "$run/vnc" -rfbunixmode 0600 \
    -geometry 1280x800 -desktop "$USER" -nolisten tcp 3>"$run/display" >"$run/log" 2>&1 &
until [ -s "$run/display" ] && [ -S "$run/vnc" ]; do
    sleep 0.05
    kill -0 $! 2>/dev/null || { cat "$run/log" >&2; exit 1; }
done
DISPLAY=:$(cat "$run/display")
export DISPLAY
xauth -q add "$DISPLAY" . "$cookie"
openbox &
# The bridge's environment is its own: a program that embeds Python, as QGIS does, would take it for the system's.
bridge=$(command -v websockify)
PATH=${PATH#"${bridge%/*}:"} "$@" &
"$bridge" --web=/usr/share/novnc --unix-target="$run/vnc" "127.0.0.1:$port" &
wait -n
