# SPDX-License-Identifier: GPL-2.0-only
PYTHON ?= python3
PATCH ?= kernel_snippets/patches/mm-owner-tracking-v1-08of17.txt
BIN := .venv/bin

.PHONY: run setup test lint bench clean needs trees

run: setup
	@$(BIN)/kconform check $(PATCH) --keep generated || test $$? -eq 1

setup: $(BIN)/.kconform

test: $(BIN)/.kconform-test trees
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -q

trees: | needs
	@$(PYTHON) tests/fetch_trees.py

lint: $(BIN)/.kconform-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: setup
	@$(BIN)/python -m bench.bench
	@$(BIN)/python -m bench.engine
	@$(BIN)/python -m bench.interleave

needs:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
	  { echo "error: $(PYTHON) is missing or older than 3.10; install python3" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "error: Python has no venv module; install the package python3-venv" >&2; exit 2; }
	@command -v $${CC:-gcc} >/dev/null || \
	  { echo "error: no C compiler; install the package gcc" >&2; exit 2; }

$(BIN)/.kconform: pyproject.toml | needs
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(BIN)/.kconform-test: pyproject.toml $(BIN)/.kconform | needs
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find generated -mindepth 1 ! -name README.md -delete
