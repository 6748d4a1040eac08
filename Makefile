# Everything starts here: `make` alone lists the targets. Each installs what it needs into .venv first.

PYTHON ?= python3
VENV ?= .venv
# PyTorch's index of CPU builds, a tenth of the size of the default ones on Linux. With a GPU:
# make TORCH_INDEX=https://pypi.org/simple
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

BIN := $(VENV)/bin
READY := $(VENV)/.ready
# What tests, checks and documents need besides.
DEV := $(VENV)/.ready-dev
TORCH := $(shell sed -n 's/^torch==/&/p' constraints.txt)
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The peers of the bench live apart from the product.
BENCH_VENV := .venv-bench
BENCH_READY := $(BENCH_VENV)/.ready
BENCH_PIP := $(BENCH_VENV)/bin/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test lint types contracts check bench docs deploy stack ui clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## run the pipeline on MovieLens-100K, from download to champion
	$(BIN)/recsys run configs/demo.toml --report mlruns/demo

# A file's tests share servers, so they stay together; in the order of their names, which begins with the long ones.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
test: $(DEV) ## run the tests
	$(BIN)/pytest $(PARALLEL)

lint: $(DEV) ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## check types
	$(BIN)/mypy

contracts: $(DEV) ## check which package may import which
	$(BIN)/lint-imports

check: lint types contracts test ## all checks, as CI runs them

bench: $(DEV) $(BENCH_READY) ## measure every model beside the best public ones (hours), bench/RESULTS.md
	$(BIN)/python -m bench

docs: $(DEV) ## make a site of docs/, build/docs/index.html
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs

CONFIG ?= configs/demo.toml
# Where the stack keeps everything.
STORE ?= mlruns
deploy: $(READY) ## register the flows on the server of PREFECT_API_URL or make stack; CONFIG=my-shop.toml, docs/operations.md
	@[ -n "$$PREFECT_API_URL" ] || [ ! -f "$(STORE)/stack/env" ] || . "$(STORE)/stack/env"; $(BIN)/recsys deploy "$(CONFIG)"

stack: $(READY) ## PostgreSQL, Prefect, MLflow and a worker until Ctrl-C; AUTH=1 asks for passwords, docs/stack.md
	@$(BIN)/recsys stack --store "$(STORE)"$(if $(AUTH), --auth)

ui: export MLFLOW_DISABLE_TELEMETRY = true
ui: export DO_NOT_TRACK = 1
# Without this the server starts eight more processes that nothing here uses.
ui: export MLFLOW_SERVER_ENABLE_JOB_EXECUTION = false
ui: $(READY) ## open the MLflow UI on the local store, http://127.0.0.1:5000
	@test -f mlruns/mlflow.db || { echo "nothing to show yet: mlruns/mlflow.db is missing; run make demo first"; exit 2; }
	$(BIN)/mlflow server --host 127.0.0.1 --port 5000 --workers 1 \
		--backend-store-uri sqlite:///mlruns/mlflow.db --artifacts-destination mlruns/artifacts

clean: ## remove .venv, caches and build output; mlruns/ stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find recsys tasks flows bench tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; seen: $$($(PYTHON) --version 2>&1). Try make PYTHON=python3.11"; exit 2; }
	@echo "[1/3] virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "[2/3] $(TORCH), about 200 MB"
	@# From its own index where that answers, else from wherever pip is set up to look.
	@$(PIP) install -qq --retries 1 --no-deps --index-url $(TORCH_INDEX) $(TORCH) 2>/dev/null || \
		$(PIP) install -qq --no-deps $(TORCH)
	@echo "[3/3] all other dependencies, one to three minutes"
	@$(PIP) install -qq -c constraints.txt -e '.[stack]'
	@touch $@

$(DEV): $(READY)
	@echo "[dev] what tests and checks need, a minute"
	@$(PIP) install -qq -c constraints.txt -e '.[dev]'
	@touch $@

$(BENCH_READY): bench/requirements.txt bench/requirements-nodeps.txt
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_PIP) install -qq --retries 1 --no-deps --index-url $(TORCH_INDEX) $(TORCH) 2>/dev/null || \
		$(BENCH_PIP) install -qq --no-deps $(TORCH)
	@$(BENCH_PIP) install -qq -r bench/requirements.txt
	@$(BENCH_PIP) install -qq --no-deps -r bench/requirements-nodeps.txt
	@touch $@
