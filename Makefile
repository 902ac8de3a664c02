# make book | test | lint | bench | clean: each makes the environment by itself.

# The first of these that is Python 3.11 or newer makes the environment.
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11
PY := .venv/bin/python
# Tests at once; each works with one thread, and those of notebooks run two kernels.
JOBS := 2

.DEFAULT_GOAL := help
.PHONY: help env book test lint bench clean distclean

help:
	@echo "make book       run what changed and build the book: build/html/index.html"
	@echo "make test       the book, then the whole test suite"
	@echo "make lint       style, docstrings, formatting, types"
	@echo "make bench      speed of everything exact against its baselines, and the cost of each regulariser"
	@echo "make clean      remove what the build made; make distclean removes .venv too"

# Compares contents, not times: 0.1 s when the environment agrees with pyproject and constraints.
env:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec $$python -I nbsrc/building/environment.py; \
	  fi; \
	done; \
	echo "Python 3.11 or newer is needed; none found among: $(PYTHONS)." >&2; \
	echo "Install one, or name it: make book PYTHON=/path/to/python3" >&2; \
	exit 1

book: env
	@$(PY) -m nbsrc build

# The tests read the rendered book, so it is built first; nothing is done when it is up to date.
test: book
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(PY) -m pytest -n $(JOBS) --dist worksteal

lint: env
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

bench: env
	@$(PY) -m benchmarks

clean:
	rm -rf build .snakemake book/notebooks book/_generated book/_build book/ledger*.md book/status.md
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find nbsrc tests benchmarks book -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf .venv .venv.lock
