# Two commands do all: `make lab` to step through the notebooks, `make test` to run every test.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: lab walk test interop interop-all check lint types imports notebooks lock setup clean

lab: setup ## start JupyterLab with the first notebook open
	$(BIN)/nitro-workflow lab

walk: setup ## run the 17 steps in the terminal
	$(BIN)/nitro-workflow walk

test: setup ## run every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

interop: setup ## compare with other implementations, built from their registries
	$(BIN)/python -m pytest -m "interop and not heavy" tests/interop

interop-all: setup ## and with those that take minutes to build (the AWS SDK for Rust, QEMU)
	$(BIN)/python -m pytest -m interop tests/interop

check: lint types imports ## what CI holds beside the tests

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

notebooks: setup ## execute every notebook in order in a clean lab and write the outputs back
	$(BIN)/python tools/notebooks.py

lock: ## resolve pyproject.toml anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --group dev pyproject.toml -o requirements.lock

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml tools/install.sh
	@PYTHON="$(PYTHON)" sh tools/install.sh $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
