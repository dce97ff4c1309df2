# `make` alone tells what there is. Everything is made in .venv, out/ and build/; nothing else is touched.
.DEFAULT_GOAL := help
.PHONY: help render test slow check golden proven bench soak wheel clean
SHELL := /bin/bash

PYTHON ?= python3
VENV ?= .venv
ROLE ?= gpu-worker
OUT ?= out
PYTEST := $(VENV)/bin/python -m pytest
RUN := $(VENV)/.run
DEV := $(VENV)/.dev

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

render: $(RUN)  ## install kfimage into .venv and render ROLE (gpu-worker) into OUT (out)
	$(VENV)/bin/kfimage render --role $(ROLE) --output $(OUT)
	@echo "the tree is in $(OUT)/: kickstart/$(ROLE).ks, firstboot/, netboot/, and index.json, which lists them"

test: $(DEV)  ## install what the tests need, then run all of them but the slow ones
	$(PYTEST) -m "not slow" $(ARGS)

slow: $(DEV)  ## the tests that take minutes or need root
	$(PYTEST) -m slow $(ARGS)

check: $(DEV)  ## the linters alone: ruff, mypy --strict, import-linter, shellcheck, codespell
	$(PYTEST) tests/unit/test_style.py $(ARGS)

golden: $(DEV) proven  ## rewrite the golden trees and messages, and the list of proven scripts; then read the diff
	PYTHONPATH=tests $(VENV)/bin/python tests/golden_tool.py
	PYTHONPATH=tests $(VENV)/bin/python tests/messages_tool.py
	$(VENV)/bin/python scripts/reference.py
	@git --no-pager diff --stat -- tests/golden man kfimage/verify/proven.txt

bench: $(DEV)  ## measure; table here, rows in build/bench.json
	PYTHONPATH=tests/bench $(VENV)/bin/python tests/bench/bench.py

soak: $(DEV)  ## every test with its full count, slow ones too; build/soak.json
	$(VENV)/bin/python scripts/soak.py $(ARGS)

wheel: $(DEV)  ## build the wheel and the sdist into dist/
	$(VENV)/bin/python -m hatchling build -d dist

clean:  ## remove what was made
	rm -rf .venv .venv-* build dist $(OUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): pyproject.toml
	@scripts/machine venv
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV): pyproject.toml scripts/machine
	@scripts/machine test
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(RUN)

proven: $(DEV)
	$(VENV)/bin/python scripts/proven.py
