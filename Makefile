# ftrun: `make run` sets up and runs the main job, `make test` sets up and runs the tests. `make help` lists all.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/hiroyuki.yaml
TEST_WORKERS ?= 2
# PyTorch: this exact version has builds for the CPU alone; a range would take gigabytes of CUDA.
TORCH_VERSION := 2.13.0
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
# what `make setup TORCH=...` installs instead, e.g. TORCH='torch>=2.6' for CUDA, TORCH=none for rehearsals only
TORCH ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# what is installed is pinned, with hashes, so that nobody's new release breaks a fresh clone; `make lock` renews it
PINNED := .ci/requirements
INSTALL := $(PIP) install --no-deps --require-hashes
NEWEST := .venv-newest
export FTRUN_TEST_CACHE ?= $(HOME)/.cache/ftrun

.DEFAULT_GOAL := help
.PHONY: help setup run test test-all test-newest coverage lint format bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "  make run CONFIG=configs/quickstart.yaml runs another experiment"

setup: $(VENV)/.ready ## make .venv with everything that is needed to run

run: $(VENV)/.ready ## set up and run CONFIG (configs/hiroyuki.yaml) on the embedded engine
	@$(BIN)/ftrun $(CONFIG)

test: $(VENV)/.test-ready ## set up and run the tests (slow suites in a smaller number)
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup

test-all: $(VENV)/.test-ready ## run every test in full
	FTRUN_TEST_ALL=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup

test-newest: ## run the tests with the newest versions of everything, in a .venv-newest of its own
	rm -rf $(NEWEST)
	$$(sh .ci/find-python) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install -qq --upgrade pip
	@TORCH='$(TORCH)' TORCH_VERSION='$(TORCH_VERSION)' TORCH_CPU_INDEX='$(TORCH_CPU_INDEX)' \
	  sh .ci/install-torch '$(NEWEST)/bin/python'
	$(NEWEST)/bin/python -m pip install -qq -e '.[data,local]' --group test
	$(NEWEST)/bin/python -m pytest -n $(TEST_WORKERS) --dist loadgroup

coverage: $(VENV)/.test-ready ## run the tests and say how much of the package they run in their own processes
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup --cov --cov-report=term

lint: $(VENV)/.lint-ready ## check style and types
	$(BIN)/ruff check pipeline tests benchmarks
	$(BIN)/ruff format --check pipeline tests benchmarks
	$(BIN)/mypy
	$(BIN)/mypy benchmarks

format: $(VENV)/.lint-ready ## put the code into the one format
	$(BIN)/ruff check --fix pipeline tests benchmarks
	$(BIN)/ruff format pipeline tests benchmarks

bench: $(VENV)/.bench-ready ## measure start-up, overhead, data and training, side by side with their yardsticks
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/data.py
	$(BIN)/python benchmarks/training.py

lock: $(BIN)/python ## pin the newest versions of what setup, test, lint and bench install
	@$(PIP) install uv
	@sh .ci/lock $(BIN)/uv

clean: ## remove .venv and caches (never runs/)
	rm -rf $(VENV) $(NEWEST) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

$(BIN)/python:
	@python=$$(sh .ci/find-python) && echo "setting up $(VENV) with $$python (once; a few minutes)" \
	  && $$python -m venv $(VENV)

$(VENV)/.ready: pyproject.toml $(PINNED)/engine.txt $(PINNED)/local.txt | $(BIN)/python
	@echo "installing what ftrun needs"
	@$(INSTALL) -r $(PINNED)/$(if $(filter none,$(TORCH)),engine,local).txt
	@TORCH='$(TORCH)' TORCH_VERSION='$(TORCH_VERSION)' TORCH_CPU_INDEX='$(TORCH_CPU_INDEX)' \
	  sh .ci/install-torch '$(BIN)/python'
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q pipeline
	@touch $@

$(VENV)/.test-ready: $(VENV)/.ready $(PINNED)/test.txt
	@$(INSTALL) -r $(PINNED)/test.txt
	@touch $@

$(VENV)/.lint-ready: $(VENV)/.ready $(PINNED)/lint.txt
	@$(INSTALL) -r $(PINNED)/lint.txt
	@touch $@

$(VENV)/.bench-ready: $(VENV)/.ready $(PINNED)/bench.txt
	@$(INSTALL) -r $(PINNED)/bench.txt
	@touch $@
