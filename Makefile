# Two commands do all: `make lab` to step through the notebooks, `make test` to run every test.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DOCS   := $(VENV)/.docs-installed
UV      = $(or $(shell command -v uv),$(BIN)/uv)
COURSE  = $(BIN)/python -m pytest tests/notebooks/course_runs.py
LOCK    = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --no-header --no-annotate --no-emit-index-url

.PHONY: lab walk quick test course course-1 course-2 aws-faults needs-aws browser interop interop-all coverage check lint types imports notebooks \
        pictures diagrams docs docs-widths doctest dist wheel-walk core-alone lock setup clean

# The rooms whose tests run within minutes; `make coverage ROOMS="cloud host lab"` measures others.
ROOMS ?= attestation cms encoding enclave_image image nsm policy vsock widgets

lab: setup ## start JupyterLab on your own copies of the notebooks; LAB_ARGS are JupyterLab's options
	$(BIN)/nitro-workflow lab $(if $(LAB_ARGS),-- $(LAB_ARGS))

walk: setup ## run the 17 steps in the terminal
	$(BIN)/nitro-workflow walk

quick: setup ## the tests that one wants on every save: within a minute
	$(BIN)/python -m pytest -m "not slow and not browser and not interop" $(PYTEST_ARGS) \
	    tests/attestation tests/cms tests/enclave tests/encoding tests/image tests/lessons tests/nsm \
	    tests/policy tests/project tests/vsock tests/widgets tests/test_errors.py

test: setup ## every test but those that CI runs beside it: browser, interop
	$(BIN)/python -m pytest -m "not browser and not interop" $(PYTEST_ARGS)

course: setup ## the notebooks as learners run them: alone, with mistakes, with the solutions
ifdef PYTEST_ARGS
	$(COURSE) $(PYTEST_ARGS)
else
	$(MAKE) --no-print-directory -j2 --output-sync course-1 course-2
endif

course-1 course-2: # every second notebook, and the others, side by side
	NITRO_COURSE=$(@:course-%=%)/2 $(COURSE)

browser: setup ## the notebooks and views in a real browser
	$(BIN)/python -m pytest -m browser tests/browser

interop: setup ## compare with other implementations, built from their registries
	$(BIN)/python -m pytest -m "interop and not heavy" tests/interop tests/javascript

interop-all: setup ## and with those that take minutes to build (the AWS SDK for Rust, QEMU)
	$(BIN)/python -m pytest -m interop tests/interop tests/javascript

aws-faults: setup ## walks against the stand-in of AWS: cut after every call, each fault, without each permission
	NITRO_AWS_FAULTS=1 $(BIN)/python -m pytest tests/aws/test_interrupted.py \
	    tests/aws/test_interrupted_launch.py tests/aws/test_faults.py \
	    tests/aws/test_permissions_needed.py $(PYTEST_ARGS)

coverage: setup ## which branches of a room its own tests take; apart from CI, for measuring makes tests slower
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m "not browser and not interop" $(PYTEST_ARGS) $(ROOMS:%=tests/%)
	$(BIN)/coverage combine --quiet
	@for room in $(ROOMS); do printf '%-14s %s %%\n' $$room \
	    "$$($(BIN)/coverage report --include="nitro_workflow/$$room/*,$$room/*" --format=total --precision=1)"; done
	@echo "Line by line: $(BIN)/coverage html, then htmlcov/index.html"

needs-aws: setup ## the walk on AWS itself, in REGION: needs an account, costs under $$1, removes all it made (docs/aws.md)
	@[ -n "$(REGION)" ] || { echo "name the region: make needs-aws REGION=us-east-1" >&2; exit 2; }
	NITRO_NEEDS_AWS=$(REGION) $(BIN)/python -m pytest -s -x -m needs_aws tests/needs_aws $(PYTEST_ARGS)

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

pictures: setup ## draw each inspector in both themes to docs/pictures/ (needs Chromium)
	lab=$$(mktemp -d) && NITRO_WORKFLOW_LAB=$$lab $(BIN)/nitro-workflow walk >/dev/null && \
	    NITRO_WORKFLOW_LAB=$$lab $(BIN)/python tools/pictures.py; \
	    NITRO_WORKFLOW_LAB=$$lab $(BIN)/nitro-workflow down; rm -rf $$lab

diagrams: setup ## draw the notebooks' diagrams for the site (needs Chromium)
	$(BIN)/python tools/diagrams.py

docs: $(DOCS) ## build the site into build/docs and check its links; nothing of it needs a network
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -j auto -c docs/site -d build/doctrees . build/docs
	$(BIN)/python tools/site_links.py build/docs

docs-widths: docs ## look at every page of the site at a desk's and a phone's width (needs Chromium)
	$(BIN)/python tools/site_widths.py build/docs

$(DOCS): $(STAMP) tools/docs.lock
	@sh tools/install_more.sh $(VENV) tools/docs.lock
	@touch $@

doctest: setup ## every example of every docstring
	$(BIN)/python -m pytest --doctest-modules nitro_workflow enclave_image $(PYTEST_ARGS)

dist: setup ## build sdist and wheel, twice and alike, and check them
	tools/dist.sh $(BIN)

wheel-walk: dist ## install the wheel in an empty environment and walk the 17 steps there
	tools/wheel_walk.sh $(BIN)

core-alone: dist ## install the wheel without extras and run the tests that need nothing else
	tools/core_alone.sh $(BIN)

lock: setup ## resolve pyproject.toml and the tools again
	$(LOCK) --group dev --extra all pyproject.toml -o requirements.lock
	$(LOCK) --group docs --constraint requirements.lock -o tools/docs.lock
	echo "uv" | $(LOCK) - -o tools/installer.lock
	echo "twine>=6" | $(LOCK) - -o tools/twine.lock

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml tools/install.sh tools/installer.lock tools/pip_configuration.sh
	@PYTHON="$(PYTHON)" sh tools/install.sh $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) build dist docs/reference/made htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache
