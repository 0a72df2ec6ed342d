# Two commands: `make up` starts everything on this machine, `make test` tests everything.
# Both set up what they need, given Python 3.11, git and make.

PYTHON ?= python3.11
BIN := .venv/bin
UV_VERSION := 0.13.9
WORKERS ?= 2
PARTS := api training workbench mlflow
TAG ?= 0.1.0
REGISTRY ?=
ROLLED := api worker workbench mlflow gateway
# A Job cannot be changed once it ran: what prepared the last release makes way.
MANIFESTS = test -n "$(OVERLAY)" || { echo "Name the overlay: OVERLAY=staging"; exit 2; }; \
  $(BIN)/kubectl -n ner-$(OVERLAY) delete job/prepare --ignore-not-found >&2; \
  $(BIN)/kubectl kustomize deploy/kubernetes/overlays/$(OVERLAY) | \
  sed -E 's\#image: .*(ner-workbench-[a-z]+):.*\#image: $(REGISTRY)\1:$(TAG)\#'

# Where this is set, every start compiles what it imports anew: TensorFlow alone takes 28 s of processor time and not 10.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: drill bench-session up-production audit licences sbom coverage smoke images release release-canary release-resume release-undo bench-serving load load-all fuzz-test help up test lint types contracts format lock check clean bench-models bench-editor bench-paired bench-rollout bench-drift heavy-test

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/.installed: requirements.txt pyproject.toml $(wildcard registry/kernels/*)
	@$(PYTHON) --version > /dev/null 2>&1 || { echo "Python 3.11 is needed: install it, or name it with 'make PYTHON=...'"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked dependencies (4.1 GB on disk; the first time takes a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.txt
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

up: $(BIN)/.installed ## Start everything on this machine, until Ctrl-C
	@exec $(BIN)/workbench up

up-production: $(BIN)/.installed ## Start everything on PostgreSQL and Redis behind a TLS gateway, until Ctrl-C: docs/deployment.md
	@exec $(BIN)/workbench up --production

test: $(BIN)/.installed ## Run every test, on SQLite and on PostgreSQL and Redis where they answer
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

heavy-test: $(BIN)/.installed ## What `make test` leaves out: tests that install packages or take minutes
	@$(BIN)/python -m pytest -m heavy $(ARGS)

lint: $(BIN)/.installed ## Style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(BIN)/.installed ## Types
	@$(BIN)/mypy

contracts: $(BIN)/.installed ## The floor plan: who may import whom
	@$(BIN)/lint-imports

bench-editor: $(BIN)/.installed ## Time the editor in headless Chromium
	@$(BIN)/python -m tests.benchmarks.editor $(ARGS)

bench-session: $(BIN)/.installed ## A scripted session at the editor: keys and time for each decision
	@$(BIN)/python -m tests.benchmarks.session

bench-models: $(BIN)/.installed ## Train and score every recipe on every corpus in CORPORA=folder; goes on where it stopped
	@test -n "$(CORPORA)" || { echo "Name the folder of corpora: make bench-models CORPORA=folder"; exit 2; }
	@$(BIN)/python -m tests.benchmarks.models "$(CORPORA)" $(ARGS)

bench-rollout: $(BIN)/.installed ## How often and how soon the rollout is right: docs/benchmarks-rollout.md
	@$(BIN)/python -m tests.benchmarks.rollout $(ARGS)

bench-paired: $(BIN)/.installed ## How often the paired verdict on F1 is right: docs/benchmarks-paired.md
	@test -n "$(GMB)" || { echo "Name the file: make bench-paired GMB=ner_dataset.csv.gz"; exit 2; }
	@$(BIN)/python -m tests.benchmarks.paired "$(GMB)" $(ARGS)

bench-drift: $(BIN)/.installed ## How often the drift verdict is false, and what it notices: docs/benchmarks-drift.md
	@test -n "$(CORPORA)" || { echo "Name the folder: make bench-drift CORPORA=folder"; exit 2; }
	@$(BIN)/python -m tests.benchmarks.drift "$(CORPORA)" $(ARGS)

format: $(BIN)/.installed ## Rewrite the code in the project's style
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

check: lint types contracts test ## Everything that has to hold before a commit

bench-serving: $(BIN)/.installed ## How fast the API answers, beside its peers: docs/benchmarks-serving.md
	@$(BIN)/python -m tests.benchmarks.serving $(ARGS)

load: $(BIN)/.installed ## Offer a load and judge what comes back: make load PROFILE=normal|peak|stress|spike (DURATION, STEP in seconds): docs/load.md
	@test -n "$(PROFILE)" || { echo "Name the profile: make load PROFILE=normal|peak|stress|spike"; exit 2; }
	@$(BIN)/python -m tests.load $(PROFILE) $(if $(DURATION),--seconds $(DURATION)) $(if $(STEP),--step $(STEP)) $(ARGS)

load-all: $(BIN)/.installed ## Every profile one after the other, as long as its name promises, for a quiet machine: about three hours
	@poor=0; for profile in normal peak spike stress; do \
	  $(BIN)/python -m tests.load $$profile $(if $(DURATION),--seconds $(DURATION)) $(if $(STEP),--step $(STEP)) $(ARGS) || poor=1; \
	done; exit $$poor

drill: $(BIN)/.installed ## Build, back up, destroy, restore and compare whole installations: make drill (ROWS=1000000): docs/recovery.md
	@$(BIN)/python -m tests.benchmarks.drill $(if $(ROWS),--rows $(ROWS)) $(ARGS)

fuzz-test: $(BIN)/.installed ## 100,000 requests that nobody should send
	@$(BIN)/python -m tests.benchmarks.fuzz $(ARGS)

coverage: $(BIN)/.installed ## The same tests, and how much of the code they reach: build/coverage
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered \
	  --cov-report=html:build/coverage --cov-report=xml:build/coverage.xml $(ARGS)

audit: $(BIN)/.installed ## Known vulnerabilities in what the images install; fails where nobody could be asked
	@for part in $(PARTS); do \
	  $(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement deploy/requirements/$$part.txt || exit 1; done

licences: $(BIN)/.installed ## Refuse what may not be passed on freely
	@$(BIN)/python -m tests.licences

sbom: $(BIN)/.installed ## What each image holds, as CycloneDX: build/sbom
	@mkdir -p build/sbom
	@for part in $(PARTS); do \
	  $(BIN)/cyclonedx-py requirements deploy/requirements/$$part.txt --of JSON -o build/sbom/$$part.json || exit 1; done

smoke: $(BIN)/.installed ## Ask a running installation what its callers ask: make smoke URL=https://… (NER_API_KEY)
	@test -n "$(URL)" || { echo "Name the installation: make smoke URL=https://host"; exit 2; }
	@$(BIN)/python -m tests.smoke "$(URL)" $(ARGS)

images: ## Build the four images, as REGISTRY/ner-workbench-…:TAG; PUSH=1 pushes them
	@for part in api worker screens mlflow; do \
	  file=$$part; test $$part = screens && file=workbench; \
	  docker build --pull --file deploy/$$file.Dockerfile --tag $(REGISTRY)ner-workbench-$$part:$(TAG) . || exit 1; \
	  test -z "$(PUSH)" || docker push $(REGISTRY)ner-workbench-$$part:$(TAG) || exit 1; done

release: $(BIN)/.installed ## Put TAG into the cluster: make release OVERLAY=staging TAG=1.2.3 REGISTRY=host/
	@$(MANIFESTS) | $(BIN)/kubectl apply -f -
	@for name in $(ROLLED); do $(BIN)/kubectl -n ner-$(OVERLAY) rollout status --timeout=10m deployment/$$name || exit 1; done

release-canary: $(BIN)/.installed ## The same, but stop when the first new API pod is up
	@$(MANIFESTS) | $(BIN)/kubectl apply -f -
	@$(BIN)/kubectl -n ner-$(OVERLAY) rollout pause deployment/api

release-resume: $(BIN)/.installed ## Go on with a release that was stopped at its first pod
	@$(BIN)/kubectl -n ner-$(OVERLAY) rollout resume deployment/api
	@for name in $(ROLLED); do $(BIN)/kubectl -n ner-$(OVERLAY) rollout status --timeout=10m deployment/$$name || exit 1; done

release-undo: $(BIN)/.installed ## Go back to the release before
	@$(BIN)/kubectl -n ner-$(OVERLAY) rollout resume deployment/api || true
	@for name in $(ROLLED); do $(BIN)/kubectl -n ner-$(OVERLAY) rollout undo deployment/$$name || exit 1; done
	@for name in $(ROLLED); do $(BIN)/kubectl -n ner-$(OVERLAY) rollout status --timeout=10m deployment/$$name || exit 1; done

lock: $(BIN)/.installed ## Resolve the dependencies anew into requirements.txt
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 --no-header -q -o requirements.txt
	@for part in api training workbench; do \
	  $(BIN)/uv pip compile pyproject.toml --extra $$part -c requirements.txt --generate-hashes --python-version 3.11 \
	    --no-header --no-annotate -q -o deploy/requirements/$$part.txt || exit 1; done
	@$(BIN)/uv pip compile deploy/requirements/mlflow.in --generate-hashes --python-version 3.11 --no-header \
	  --no-annotate -q -o deploy/requirements/mlflow.txt

clean: ## Remove the environment and the caches, never NER_HOME
	@rm -rf .venv registry/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis test-artifacts
