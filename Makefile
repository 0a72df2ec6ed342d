# Two commands: `make up` starts everything on this machine, `make test` tests everything.
# Both set up what they need, given Python 3.11, git and make.

PYTHON ?= python3.11
BIN := .venv/bin
UV_VERSION := 0.13.9
WORKERS ?= 2

.PHONY: bench-serving load-test stress-test spike-test fuzz-test help up test lint types contracts format lock check clean bench-models bench-editor

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) --version > /dev/null 2>&1 || { echo "Python 3.11 is needed: install it, or name it with 'make PYTHON=...'"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked dependencies (4.1 GB on disk; the first time takes a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.txt
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

up: $(BIN)/.installed ## Start everything on this machine, until Ctrl-C
	@exec $(BIN)/workbench up

test: $(BIN)/.installed ## Run every test, on SQLite and on PostgreSQL and Redis where they answer
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

lint: $(BIN)/.installed ## Style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(BIN)/.installed ## Types
	@$(BIN)/mypy

contracts: $(BIN)/.installed ## The floor plan: who may import whom
	@$(BIN)/lint-imports

bench-editor: $(BIN)/.installed ## Time the editor in headless Chromium
	@$(BIN)/python -m tests.benchmarks.editor

bench-models: $(BIN)/.installed ## Train and score every recipe on every corpus in CORPORA=folder; goes on where it stopped
	@test -n "$(CORPORA)" || { echo "Name the folder of corpora: make bench-models CORPORA=folder"; exit 2; }
	@$(BIN)/python -m tests.benchmarks.models "$(CORPORA)" $(ARGS)

format: $(BIN)/.installed ## Rewrite the code in the project's style
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

check: lint types contracts test ## Everything that has to hold before a commit

bench-serving: $(BIN)/.installed ## How fast the API answers, beside its peers: docs/benchmarks-serving.md
	@$(BIN)/python -m tests.benchmarks.serving $(ARGS)

load-test stress-test spike-test: $(BIN)/.installed ## Load, stress and spike an API process of their own (Locust)
	@$(BIN)/python -m tests.load $(@:-test=) $(ARGS)

fuzz-test: $(BIN)/.installed ## 100,000 requests that nobody should send
	@$(BIN)/python -m tests.benchmarks.fuzz $(ARGS)

lock: $(BIN)/.installed ## Resolve the dependencies anew into requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 --no-header -q -o requirements.txt
	@for part in api training workbench; do \
	  $(BIN)/uv pip compile pyproject.toml --extra $$part -c requirements.txt --generate-hashes --python-version 3.11 \
	    --no-header --no-annotate -q -o deploy/requirements/$$part.txt || exit 1; done
	@$(BIN)/uv pip compile deploy/requirements/mlflow.in --generate-hashes --python-version 3.11 --no-header \
	  --no-annotate -q -o deploy/requirements/mlflow.txt

clean: ## Remove the environment and the caches, never NER_HOME
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis test-artifacts
