# Every command of this repository. `make` alone lists them.
# The virtual environment is made from requirements.lock, hash by hash, once per state of lock and project file.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-')

# The first of these that runs and is new enough; say `make PYTHON=/path/to/python3.12 ...` to choose another.
PYTHONS := python3 python3.13 python3.12 python3.11 python3.14 python
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'

# What `make demo` runs on: embedded (nothing needed), real (a kube-apiserver built or found here), kubeconfig (yours).
CLUSTER ?= embedded
# Further arguments for `make demo`, `bench`, `soak`, `e2e` and `chaos`, such as ARGS=--once.
ARGS ?=

FAST_SUITES := tests/unit tests/properties tests/architecture
SIDE_BY_SIDE := --numprocesses=logical --dist=loadfile
SLOW_SUITES := tests/contracts tests/control_plane tests/cluster tests/integration tests/e2e tests/chaos
PYTEST := $(BIN)/pytest

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(STAMP):
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
	  for candidate in $(PYTHONS); do \
	    if $$candidate $(NEW_ENOUGH) >/dev/null 2>&1; then python=$$candidate; break; fi; \
	  done; \
	fi; \
	if [ -z "$$python" ]; then \
	  echo "Perigee needs Python 3.11 or newer, and none of these is: $(PYTHONS)." >&2; \
	  echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	fi; \
	if ! "$$python" $(NEW_ENOUGH) >/dev/null 2>&1; then \
	  echo "Perigee needs Python 3.11 or newer; $$python is not, or does not start." >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || "$$python" -m venv --clear $(VENV)
	@rm -f $(VENV)/.installed-*
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: $(STAMP) ## Watch one Airflow come to life; CLUSTER=embedded|real|kubeconfig, ARGS=--once
	@$(BIN)/perigee sandbox demo --cluster $(CLUSTER) $(ARGS)

.PHONY: test
test: lint contract-coverage ## Run every suite; ends with what was left out and how to get it
	$(PYTEST) $(FAST_SUITES) $(SIDE_BY_SIDE)
	$(PYTEST) $(SLOW_SUITES)

.PHONY: check
check: lint ## What to run before every commit: linters, types, layers, schemas, fast suites
	$(PYTEST) $(FAST_SUITES) $(SIDE_BY_SIDE)

.PHONY: lint
lint: $(STAMP) ## Only the static half of check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	$(BIN)/python -m agent.wire.schemas "$$fresh" >/dev/null && \
	{ diff -r config/schema "$$fresh" || { echo "config/schema is behind the models: run make schemas" >&2; exit 1; }; }

.PHONY: contract-coverage
contract-coverage: $(STAMP) ## Prove that the contracts alone reach the embedded cluster's branches
	$(PYTEST) tests/contracts -k embedded -q --cov=sandbox.cluster --cov-branch --cov-fail-under=95

.PHONY: e2e
e2e: $(STAMP) ## The agent's process against a control plane and a cluster; ARGS=--watch-seconds=300 watches longer
	$(PYTEST) tests/e2e $(ARGS)

.PHONY: chaos
chaos: $(STAMP) ## Stop and kill replicas at random; ARGS="--points=200 -k real" for a thorough run
	$(PYTEST) tests/chaos $(ARGS)

.PHONY: test-cluster
test-cluster: $(STAMP) ## Start a real kube-apiserver and open a shell with its KUBECONFIG
	@$(BIN)/python -m sandbox.realcluster up --shell

.PHONY: test-programs
test-programs: $(STAMP) ## Build what is missing of a real Kubernetes, once (needs Go); ARGS=--node for a node too
	$(BIN)/python -m sandbox.realcluster build $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure every figure; takes an hour, ARGS=--quick minutes
	@$(BIN)/python -m bench $(ARGS)

.PHONY: soak
soak: $(STAMP) ## 20,000 changes through one agent, and what they leave in its memory; ARGS="--changes 2000"
	@$(BIN)/python -m bench --only soak $(ARGS)

.PHONY: docs
docs: schemas ## Generate what the documentation takes from the code: schemas, commands
	$(BIN)/python docs/generate.py docs/commands.md

.PHONY: chart
chart: $(STAMP) ## Generate the rights of the chart, of config/rbac, and the schema of its values
	$(BIN)/python helm/generate.py .

.PHONY: schemas
schemas: $(STAMP) ## Generate config/schema from the models
	$(BIN)/python -m agent.wire.schemas config/schema

.PHONY: format
format: $(STAMP) ## Format and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: $(STAMP) ## Pin again every dependency with its hashes
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.lock

.PHONY: wheel
wheel: $(STAMP) ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

.PHONY: clean
clean: ## Remove the virtual environment, caches and builds
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
