# make demo | run | test | lint | golden | bench | bench-large | lock; the first one sets up .venv by itself.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARTICLES ?=

.PHONY: demo run test lint golden bench bench-large lock clean

demo: $(READY)
	@$(BIN)/python examples/demo.py "$(ARTICLES)"

run: $(READY)
	$(BIN)/syndicate run

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Rewrites the letters that tests hold byte for byte: after a template changed, and was looked at (examples/letters.py).
golden: $(READY)
	$(BIN)/python examples/letters.py tests/unit/golden --golden

bench: $(READY)
	$(BIN)/python bench/run.py
	$(BIN)/python bench/ledger.py
	$(BIN)/python bench/lists.py
	$(BIN)/python bench/mail.py

bench-large: $(READY)
	$(BIN)/python bench/run.py large
	$(BIN)/python bench/ledger.py large
	$(BIN)/python bench/lists.py large
	$(BIN)/python bench/mail.py large

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

# Needs uv; names, versions and hashes only, so that any index may serve them.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--all-extras --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
