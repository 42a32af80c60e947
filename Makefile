# Everything a developer or a fresh machine needs: `make run` serves, `make test` checks all.
# Needs Python 3.11+, Node 20.19+ with npm, and for the tests Chromium (installed by apt when root).

SHELL := /bin/bash
.DEFAULT_GOAL := run
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 4000
NODE_VERSION := 20.19
# How many processes share the tests.
TEST_WORKERS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RUN_READY := $(VENV)/run.stamp
DEV_READY := $(VENV)/dev.stamp
PLOTS_READY := $(VENV)/bench.stamp
WEB_READY := web/node_modules/.stamp
WIRE_READY := tests/wire/node_modules/.stamp
DYNALITE_READY := tests/engines/dynalite/node_modules/.stamp
DYNOXIDE := $(VENV)/cargo/bin/dynoxide
PEER_READY := bench/peers/socketio/node_modules/.stamp
CLIENT := src/webchat/static/index.html
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' 2>/dev/null)

.PHONY: help run test lint format types imports web wheel web-test pytest bench bench-long bench-nodes bench-peers bench-profile bench-report docs lock clean kill soak properties sim setup test-dynoxide cluster cluster-up chaos

help:  ## this list
	@sed -nE 's/^([a-z-]+)[^:]*:[^#]*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

# Python and Node are looked at first: what is missing is said before anything is downloaded.
run: $(BIN)/pip $(CLIENT) $(RUN_READY)  ## installs what it needs, builds the web client and serves; PORT=4000
	$(BIN)/webchat serve --host 127.0.0.1 --port $(PORT)

# What waits for the network, or is busy on one core alone, has something else beside it.
test:  ## installs what the tests need and runs everything that has to pass
	$(MAKE) -j4 -O setup
	$(MAKE) -j2 -O lint types imports web-test
	$(MAKE) pytest cluster

setup: $(DEV_READY) $(WEB_READY) $(WIRE_READY) $(DYNALITE_READY) $(PEER_READY)  ## installs what the tests need
	scripts/need chromium redis-server haproxy openssl cc:build-essential taskset:util-linux \
	  '/usr/lib/postgresql/*/bin/initdb:postgresql'

lint: $(DEV_READY)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEV_READY) $(WEB_READY)  ## rewrites what ruff and biome would complain of
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npm --prefix web run format

types: $(DEV_READY)  ## mypy
	$(BIN)/mypy

imports: $(DEV_READY)  ## the direction of imports
	$(BIN)/lint-imports

web: $(CLIENT)  ## builds the web client

wheel: $(RUN_READY) $(CLIENT)  ## builds dist/webchat-VERSION-py3-none-any.whl, which needs no Node
	rm -f dist/*.whl
	$(BIN)/python -m hatchling build -t wheel

web-test: $(CLIENT)  ## the web client: types, lint, its tests
	npm --prefix web run check
	npm --prefix web run lint
	npm --prefix web run test

pytest: $(DEV_READY) $(WIRE_READY) $(DYNALITE_READY) $(PEER_READY) $(CLIENT)  ## the tests in Python, in TEST_WORKERS=2 processes
	$(BIN)/pytest -n $(TEST_WORKERS) --dist worksteal

# The flows with everybody on a node of their own: three nodes, Redis, a DynamoDB engine, a balancer.
cluster: $(DEV_READY) $(WIRE_READY) $(DYNALITE_READY) $(CLIENT)  ## the seed's flows on three nodes, Redis, a DynamoDB engine and a balancer
	$(BIN)/pytest -n $(TEST_WORKERS) --dist worksteal --on-cluster tests/wire/test_flow_*.py

# The same, to be used by hand: it says where, and ends with Ctrl-C.
cluster-up: $(DEV_READY) $(DYNALITE_READY) $(CLIENT)  ## three nodes and a balancer, to be used by hand
	$(BIN)/python -m tests.cluster

chaos: $(DEV_READY) $(DYNALITE_READY)  ## kills and pauses nodes, Redis and the store while people chat, then counts
	WEBCHAT_CHAOS_S=$${WEBCHAT_CHAOS_S:-300} $(BIN)/pytest tests/cluster/test_chaos.py -s

# The DynamoDB store on a second engine, written in Rust: built once, some minutes.
test-dynoxide: $(DEV_READY) $(DYNOXIDE)
	PATH="$(abspath $(dir $(DYNOXIDE))):$$PATH" WEBCHAT_DYNAMODB_ENGINE=dynoxide \
	  $(BIN)/pytest tests/contract -k dynamodb
	PATH="$(abspath $(dir $(DYNOXIDE))):$$PATH" WEBCHAT_DYNAMODB_ENGINE=dynoxide \
	  $(BIN)/pytest --on-cluster tests/wire/test_flow_*.py

kill: $(DEV_READY)  ## kills the server fifty times while people chat, then counts
	WEBCHAT_KILL_ROUNDS=$${WEBCHAT_KILL_ROUNDS:-50} $(BIN)/pytest tests/kill/test_kill.py -s

soak: $(DEV_READY)  ## ten minutes of traffic on one server
	WEBCHAT_SOAK_S=$${WEBCHAT_SOAK_S:-600} $(BIN)/pytest tests/kill/test_soak.py -s

bench bench-long bench-nodes: $(DEV_READY) $(PEER_READY)  ## measures, beside others (docs/performance.md)
	scripts/need cc:build-essential taskset:util-linux redis-server \
	  '/usr/lib/postgresql/*/bin/initdb:postgresql'
	$(BIN)/python -m $(BENCHMARK)

bench: BENCHMARK := bench
bench-long: BENCHMARK := bench --size long
bench-nodes: BENCHMARK := bench --size long --rows nodes

# socketioxide is built where there is cargo, Centrifugo and Tinode where there is Go; `make bench-long`
# goes on without those that are not there.
CENTRIFUGO := github.com/centrifugal/centrifugo/v6
CENTRIFUGO_VERSION := 6.9.1
bench-peers: $(PEER_READY)
	if command -v cargo >/dev/null; then \
	  cargo build --locked --release --manifest-path bench/peers/socketioxide/Cargo.toml; fi
	if command -v go >/dev/null; then \
	  GOBIN=$(abspath bench/peers/bin) \
	    go install -ldflags "-X $(CENTRIFUGO)/internal/build.Version=$(CENTRIFUGO_VERSION)" \
	      $(CENTRIFUGO)@v$(CENTRIFUGO_VERSION) && \
	  go build -C bench/peers/tinode -tags postgres -o ../bin/tinode/ tool; fi

# Results into docs/performance.md: the newest of `make bench-long`, or RESULTS="FILE FILE".
RESULTS ?= $(lastword $(sort $(wildcard bench/results/long-2*.json)))
bench-report: $(DEV_READY) $(PLOTS_READY)
	$(BIN)/python -m bench.plots $(RESULTS)
	$(BIN)/python -m bench.report $(RESULTS)

# Flame graphs of the hot paths, into docs/performance.
bench-profile: $(DEV_READY) $(PLOTS_READY)
	$(BIN)/python -m bench.profile

properties: $(DEV_READY)  ## made-up stories on one node, many of them
	HYPOTHESIS_PROFILE=long $(BIN)/pytest tests/properties -s --timeout=0

sim: $(DEV_READY)  ## simulated stories of nodes, clients and faults; SEEDS=10000
	$(BIN)/python -m tests.sim --first $${FIRST:-0} --seeds $${SEEDS:-10000} --workers 2

docs: $(DEV_READY)  ## writes docs/settings.md and checks what documents say
	$(BIN)/python -m scripts.settings_reference
	$(BIN)/pytest tests/docs

lock:  ## pins the dependencies anew, with uv and npm
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --extra build \
	  --extra all pyproject.toml -o requirements/run.lock
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --extra build \
	  --extra all --extra dev pyproject.toml -o requirements/dev.lock
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --extra build \
	  --extra all --extra bench pyproject.toml -o requirements/bench.lock
	cd web && npm install --package-lock-only --omit-lockfile-registry-resolved
	cd tests/wire && npm install --package-lock-only --omit-lockfile-registry-resolved
	cd tests/engines/dynalite && npm install --package-lock-only --omit-lockfile-registry-resolved
	cd bench/peers/socketio && npm install --package-lock-only --omit-lockfile-registry-resolved

clean:  ## removes what was installed and built here
	rm -rf $(VENV) dist build src/webchat/static web/node_modules tests/wire/node_modules \
	  tests/engines/dynalite/node_modules \
	  bench/peers/socketio/node_modules bench/peers/socketioxide/target bench/peers/bin .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache

$(BIN)/pip:
	PYTHON="$(PYTHON)" scripts/venv $(VENV)

$(RUN_READY) $(DEV_READY) $(PLOTS_READY): $(VENV)/%.stamp: requirements/%.lock pyproject.toml hatch_build.py | $(BIN)/pip
	$(BIN)/python -m pip install -q --require-hashes -r requirements/$*.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q src/webchat
	touch $@

$(WEB_READY) $(WIRE_READY) $(DYNALITE_READY) $(PEER_READY): %/node_modules/.stamp: %/package-lock.json
	@scripts/need-node $(NODE_VERSION)
	npm --prefix $* ci --no-audit --no-fund
	touch $@

$(DYNOXIDE): | $(BIN)/pip
	scripts/need-rust 1.88
	cargo install --root $(VENV)/cargo dynoxide-rs --version 1.5.0 --locked \
	  --no-default-features --features native-sqlite,http-server,cli

$(CLIENT): $(WEB_READY) $(WEB_SOURCES)
	npm --prefix web run build
	touch $@
