# ftrun: `make run` sets up and runs the main job, `make test` sets up and runs the tests. `make help` lists all.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/hiroyuki.yaml
TEST_WORKERS ?= 4
# this exact version of PyTorch has CPU-only builds; a range would install gigabytes of CUDA
TORCH_VERSION := 2.13.0
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
# override with `make setup TORCH=...`: TORCH='torch>=2.6' for CUDA, TORCH=none for rehearsals only
TORCH ?=
TORCH_CHOICE = TORCH='$(TORCH)' TORCH_VERSION='$(TORCH_VERSION)' TORCH_CPU_INDEX='$(TORCH_CPU_INDEX)'
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# dependencies are pinned with hashes, so that no new release breaks a fresh clone; `make lock` updates the pins
PINNED := .ci/requirements
INSTALL := $(PIP) install --no-deps --require-hashes
NEWEST := .venv-newest
PROSE := *.md docs benchmarks configs schemas pipeline Makefile .ci/run .ci/find-python .ci/install.py .ci/lock
export FTRUN_TEST_CACHE ?= $(HOME)/.cache/ftrun

.DEFAULT_GOAL := help
.PHONY: help setup run test test-all test-clients test-newest coverage lint format bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "  make run CONFIG=configs/quickstart.yaml runs another experiment"

setup: $(VENV)/.ready ## create .venv with everything needed to run

run: $(VENV)/.ready ## set up, then run CONFIG (default: configs/hiroyuki.yaml) on this machine
	@$(BIN)/ftrun $(CONFIG)

test: $(VENV)/.test-ready ## set up, then run the tests (a sample of the slow ones)
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup

test-all: $(VENV)/.test-ready ## run every test in full
	FTRUN_TEST_ALL=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup

test-clients: $(VENV)/.test-ready ## run scripts of everybody's clients, each installed for it, against the engine
	FTRUN_TEST_ALL=1 $(BIN)/python -m pytest -n 0 tests/clients

test-newest: ## run the tests with the newest versions of everything, in .venv-newest
	rm -rf $(NEWEST)
	$$(sh .ci/find-python) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install -qq --upgrade pip
	@$(TORCH_CHOICE) $(NEWEST)/bin/python .ci/install.py
	$(NEWEST)/bin/python -m pip install -qq -e '.[data,eval,local]' --group test
	$(NEWEST)/bin/python -m pytest -n $(TEST_WORKERS) --dist loadgroup

coverage: $(VENV)/.test-ready ## run the tests and say how much of the package they run in their own processes
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup --cov --cov-report=term

lint: $(VENV)/.lint-ready ## check style, types, dependencies, English and translations
	$(BIN)/ruff check pipeline tests benchmarks .ci
	$(BIN)/ruff format --check pipeline tests benchmarks .ci
	$(BIN)/mypy
	$(BIN)/mypy benchmarks
	$(BIN)/deptry pipeline
	$(BIN)/codespell -D .ci/english/words.txt -D - $(PROSE)
	$(BIN)/python .ci/english/check.py
	$(BIN)/python .ci/language/extract.py

format: $(VENV)/.lint-ready ## format the code
	$(BIN)/ruff check --fix pipeline tests benchmarks .ci
	$(BIN)/ruff format pipeline tests benchmarks .ci

bench: $(VENV)/.bench-ready ## run the benchmarks: start-up, overhead, data, training, answering, asking, leaving and evaluating
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/data.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/answering.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/losses.py
	$(BIN)/python benchmarks/asking.py
	$(BIN)/python benchmarks/lifeboat.py
	$(BIN)/python benchmarks/evaluating.py

lock: $(BIN)/python ## pin the newest versions of all dependencies (KEEP=1: only of those that have none)
	@$(PIP) install uv
	@sh .ci/lock $(BIN)/uv $(if $(KEEP),keep)

clean: ## remove .venv and caches (never runs/)
	rm -rf $(VENV) $(NEWEST) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

$(BIN)/python:
	@case "$${FTRUN_LANG:-$${LC_ALL:-$${LC_MESSAGES:-$$LANG}}}" in \
	  ja*) words='を作っています（初回のみ、数分）';; *) words='is being set up (once; a few minutes)';; esac; \
	  python=$$(sh .ci/find-python) && echo "$(VENV) $$words: $$python" && $$python -m venv $(VENV)

$(VENV)/.ready: pyproject.toml $(PINNED)/engine.txt $(PINNED)/local.txt | $(BIN)/python
	@$(TORCH_CHOICE) $(BIN)/python .ci/install.py $(PINNED)/$(if $(filter none,$(TORCH)),engine,local).txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q pipeline
	@touch $@

$(VENV)/.test-ready: $(VENV)/.ready $(PINNED)/test.txt
	@$(INSTALL) -r $(PINNED)/test.txt
	@touch $@

$(VENV)/.lint-ready: $(VENV)/.test-ready $(PINNED)/lint.txt
	@$(INSTALL) -r $(PINNED)/lint.txt
	@touch $@

$(VENV)/.bench-ready: $(VENV)/.ready $(PINNED)/bench.txt
	@$(INSTALL) -r $(PINNED)/bench.txt
	@touch $@
