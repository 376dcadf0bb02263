# The commands of the project; `make` alone lists them. Nothing here needs root.
#
#   PYTHON=python3.12   another Python than python3, for a new environment
#   JOBS=1              so many test files at a time: most of them wait for programs to start
#   ARGS="..."          more arguments: make run ARGS="--bind 0.0.0.0:8000", make test ARGS="-k guide"

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 3
ARGS ?=

bin := $(VENV)/bin
pip := $(bin)/python -m pip --disable-pip-version-check -qq install
lab := envs/jupyterlab
clients := envs/clients
chp := envs/chp
peer := envs/peer

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run install dev test check lint fmt jupyterlab clients bench bench-edge bench-memory bench-replicas bench-servers constraints

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: install ## Run the hub, with the settings of apphub.yaml and its data in ./apphub-data
	@exec $(bin)/apphub serve $(ARGS)

install: $(VENV)/.installed ## Make the environment: what running takes

dev: $(VENV)/.installed-dev ## Make the environment: what working on the hub takes

test: dev ## Run all tests that this machine can run
	$(bin)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: lint ## Check style, types, layers and the unit tests: a minute or two
	$(bin)/pytest -q -n $(JOBS) tests/unit $(wildcard tests/law) $(ARGS)

lint: dev ## Check style, types and layers
	$(bin)/ruff format --check
	$(bin)/ruff check
	$(bin)/mypy
	$(bin)/lint-imports

fmt: dev ## Format, and mend what can be mended without asking
	$(bin)/ruff check --fix-only --quiet
	$(bin)/ruff format

screenshots: dev ## Make the pictures in docs/images: every page, light and dark, desk and phone
	$(bin)/python tools/screenshot.py

jupyterlab: $(lab)/.installed ## Make ./envs/jupyterlab, which the sample profile `jupyterlab` starts

clients: $(clients)/.installed ## Make ./envs/clients: JupyterHub's own tools, which the tests run against the hub

bench: dev $(peer)/.installed ## Measure the hub beside JupyterHub (needs wrk, npm and a compiler)
	@$(peer)/venv/bin/python tests/scale/side_by_side.py $(ARGS)

bench-servers: dev ## Measure two hubs on PostgreSQL with 10,000 servers, of which nothing is started
	@$(bin)/python tests/scale/servers.py $(ARGS)

bench-replicas: dev ## Measure what two hubs on PostgreSQL answer, and one (needs wrk)
	@$(bin)/python tests/scale/replicas.py $(ARGS)

bench-memory: dev ## Measure whether the hub grows over many rounds of starts and stops (needs a compiler)
	@$(bin)/python tests/scale/memory.py $(ARGS)

bench-edge: dev ## Measure the edge: the guard's cost, changes of routes (needs wrk, a compiler, npm)
	@test -n "$$BENCH_CHP" || ! command -v npm >/dev/null || $(MAKE) --no-print-directory $(chp)/.installed
	@$(bin)/python tests/scale/edge.py $(ARGS)

constraints: ## Pin the newest versions that fit (then run all tests)
	@$(MAKE) --no-print-directory VENV=.venv-constraints .venv-constraints/bin/pip
	.venv-constraints/bin/python -m pip --quiet install -e ".[dev]"
	{ head -n 1 constraints.txt; .venv-constraints/bin/pip freeze --exclude-editable; } >constraints.new
	mv constraints.new constraints.txt
	rm -rf .venv-constraints

# The stamps make an installation happen only when what it depends on has changed.

$(VENV)/.installed: pyproject.toml constraints.txt | $(bin)/pip
	@echo "Installing apphub into $(VENV) ..." >&2
	@$(pip) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(bin)/pip
	@echo "Installing apphub and its tools into $(VENV) ..." >&2
	@$(pip) -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.installed

$(lab)/.installed: constraints-jupyterlab.txt | $(lab)/bin/pip
	@echo "Installing JupyterLab into $(lab) ..." >&2
	@$(lab)/bin/python -m pip --disable-pip-version-check -qq install \
		-c constraints-jupyterlab.txt jupyterhub==6.1.1 jupyterlab
	@touch $@

$(clients)/.installed: constraints-clients.txt | $(clients)/bin/pip
	@echo "Installing the clients of JupyterHub into $(clients) ..." >&2
	@$(clients)/bin/python -m pip --disable-pip-version-check -qq install \
		-c constraints-clients.txt jupyterhub==6.1.1 jupyterhub-idle-culler jhub-client tornado
	@touch $@

$(chp)/.installed:
	@echo "Installing configurable-http-proxy into $(chp) ..." >&2
	@npm install --silent --no-fund --no-audit --prefix $(chp) configurable-http-proxy@5.3.0
	@touch $@

$(peer)/.installed: $(chp)/.installed | $(peer)/venv/bin/pip
	@echo "Installing JupyterHub, to be measured, into $(peer) ..." >&2
	@$(peer)/venv/bin/python -m pip --disable-pip-version-check -qq install \
		-c constraints-clients.txt jupyterhub==6.1.1 psycopg2-binary psutil uvloop
	@ln -sfn ../chp $(peer)/node
	@touch $@

%/bin/pip:
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON) here. apphub needs Python 3.11 or newer; on Debian and Ubuntu:" >&2; \
		echo "    sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "apphub needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V)." >&2; \
		echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu:" >&2; \
		echo "    sudo apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $*
