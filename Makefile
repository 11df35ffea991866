.PHONY: setup quickstart test lint check bench reproduce-tiny clean
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
EXTRAS := dev
STAMP  := $(VENV)/.installed

setup: $(STAMP)

# Reinstalled only when what it depends on changed: running it twice costs nothing.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@

quickstart: setup
	$(BIN)/interlaw quickstart --out runs/quickstart

test: setup
	$(BIN)/python -m pytest -n auto

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

# every experiment of the paper that needs no download, at the scale of two cores
reproduce-tiny: setup
	for name in double-descent mlp gpt-depth gpt-budgets gru cnn nfa; do \
		$(BIN)/interlaw reproduce $$name --scale tiny --out runs/reproduce/$$name || exit 1; \
	done

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf build dist site .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
