# Everything runs in .venv, installed from constraints.txt: nothing has to be installed first.
# Choose an interpreter with `make test PYTHON=python3.12` (3.11 or newer). PyTorch's default
# wheels for Linux carry CUDA; for the smaller CPU build set pip's own PIP_EXTRA_INDEX_URL.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
CHECKED := src tests benchmarks examples docs/*.py
CLIPER_DATA ?= ../shared/data
POSTERS := $(CLIPER_DATA)/movielens-100k-posters

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs lowest bench clean distclean

help:
	@echo "make demo   the whole job on a generated shop; writes demo/ and names its HTML report"
	@echo "make test   style, types, layers and the whole test suite"
	@echo "make lint   style, types and layers alone"
	@echo "make docs   these pages as a site, in site/"
	@echo "make lowest  the wheel with the lowest versions that pyproject.toml names, in build/lowest"
	@echo "make bench  the benchmarks, each against its own floor"
	@echo "make clean  remove caches, builds and demo/ (make distclean: .venv as well)"

demo: $(VENV)/.installed
	$(BIN)/cliper demo --out demo

# pytest comes last, so that its closing line is the last one printed. A process a core, with one
# thread each: more would stall one another.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadgroup

lint: $(VENV)/.installed-test
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports

# Strictly: a broken link, a missing anchor or a page without a place is an error.
docs: $(VENV)/.installed-docs
	$(BIN)/python docs/build.py
	@echo "site/index.html; with search: $(BIN)/python -m http.server --directory site"

lowest:
	PYTHON=$(PYTHON) bash benchmarks/lowest_versions.sh

# Some benchmarks want real data and are left out where there is none.
bench: $(VENV)/.installed-test
	@set -e; for script in benchmarks/*.py; do \
		case "$$script" in \
			*/cold_reference.py) folder="$(POSTERS)" ;; \
			*/adaptation.py) folder="$(POSTERS)" ;; \
			*/alignments.py) folder="$(POSTERS)" ;; \
			*/alignment_ceiling.py) folder="$(POSTERS)" ;; \
			*/deviations.py) folder="$(POSTERS)" ;; \
			*/reference.py) folder="$(CLIPER_DATA)/films-reference" ;; \
			*/encoder_throughput.py) folder="$(POSTERS)" ;; \
			*/image_encoder.py) folder="$(POSTERS)/images" ;; \
			*) folder="" ;; \
		esac; \
		if [ -n "$$folder" ] && [ ! -d "$$folder" ]; then \
			echo "== $$script: left out, there is no $$folder (set CLIPER_DATA)"; continue; \
		fi; \
		echo "== $$script"; $(BIN)/python "$$script" $$folder; \
	done

clean:
	rm -rf build dist demo site src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is missing or older than 3.11; name another: make PYTHON=python3.12" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps make a second call instant; a change of pins or dependencies installs again.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[report]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[test]'
	@touch $(VENV)/.installed $(VENV)/.installed-docs $@

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[docs]'
	@touch $@
