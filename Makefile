# Every target works on a fresh clone with Python 3.11 or newer and make; the first one run makes .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=
COMPILE := uv pip compile -q --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 --universal

.DEFAULT_GOAL := help
.PHONY: help install demo test check lint types layers bench lock clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv with everything pinned (a no-op when up to date)

# uv where it is, pip otherwise: the same pinned files, the same result.
$(STAMP): requirements/dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "capipool needs Python 3.11 or newer: set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "capipool needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V)" >&2; exit 1; }
	@echo "setting up $(VENV): a minute or two, once" >&2
	@if command -v uv >/dev/null; then \
	  { test -x $(BIN)/python || uv venv -q --python $(PYTHON) $(VENV); } && \
	  uv pip install -q --python $(BIN)/python -r requirements/dev.txt && \
	  uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  { test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); } && \
	  { $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; } && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/dev.txt && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

demo: $(STAMP) ## a cluster and a pool of 3 to Running, scaled to 5, rolled to another version
	@$(BIN)/capipool demo $(ARGS)

test: $(STAMP) ## all tests (ARGS=... go to pytest)
	@$(BIN)/python -m pytest -n 3 $(ARGS)

check: lint types layers test ## all that CI checks

lint: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(STAMP)
	@$(BIN)/mypy

layers: $(STAMP)
	@$(BIN)/lint-imports

bench: $(STAMP) ## the benchmarks (ARGS=... go to them)
	@$(BIN)/python -m benchmarks $(ARGS)

# The larger set first: what tests need (moto, through boto3) bounds what capipool itself may be pinned to.
lock: ## compile the pinned requirements anew (needs uv)
	$(COMPILE) --extra dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) -c requirements/dev.txt pyproject.toml -o requirements/runtime.txt

clean: ## remove what make made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
