# Two commands do all: `make lab` to step through the notebooks, `make test` to run every test.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: lab walk test check lint types imports setup clean

lab: setup ## start JupyterLab with the first notebook open
	$(BIN)/nitro-workflow lab

walk: setup ## run the 17 steps in the terminal
	$(BIN)/nitro-workflow walk

test: setup ## run every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: lint types imports ## what CI holds beside the tests

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml tools/install.sh
	@PYTHON="$(PYTHON)" sh tools/install.sh $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
