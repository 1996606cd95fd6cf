# Two commands do everything on a fresh Debian or Ubuntu: `make demo` and `make test`.
.PHONY: demo gui setup test coverage proofs faults fuzz lint format docs release bench bench-suite benchmarks bench-short help clean

VENV := .venv/bin

demo: setup  ## a street film from labels, in ./vidtrans-demo
	$(VENV)/vidtrans demo

gui: setup-gui  ## the desktop editor
	$(VENV)/vidtrans-gui

setup:  ## the environment alone
	@scripts/setup.sh

setup-%:
	@scripts/setup.sh $*

test: setup-test  ## the whole suite, under ten minutes on two cores
	$(VENV)/python -m pytest

coverage: setup-test  ## the whole suite, and the lines that it does not reach
	$(VENV)/python -m pytest --cov --cov-report=term:skip-covered

proofs: setup-test  ## the slow proofs: thousands of frames, long runs
	$(VENV)/python -m pytest -m slow

KILLS ?= 100
faults: setup-test  ## convert and batch killed at random moments, full disks, lost inputs (KILLS=100)
	VIDTRANS_FAULTS=$(KILLS) $(VENV)/python -m pytest -m 'slow or not slow' tests/batches/test_faults.py

CASES ?= 30000
SEED ?= 1
fuzz: setup-test  ## mutated files into every parser and the filter (CASES=30000 SEED=1)
	$(VENV)/python scripts/fuzz.py --cases $(CASES) --seed $(SEED)

lint: setup-test  ## style, types, layers
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/mypy --platform win32
	$(VENV)/lint-imports

format: setup-test  ## style, mended where it can be
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

docs: setup-docs  ## pages and API reference as a site, in build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --strict
	@echo build/site/index.html

release: setup-release  ## sdist, wheel and bill of materials in dist/, checked in a clean environment
	@scripts/release.sh

bench: setup  ## speed figures as JSON
	$(VENV)/vidtrans bench

bench-suite: setup  ## speed of all architectures at three sizes, JSON and a table
	$(VENV)/vidtrans bench --suite

benchmarks: setup-test  ## all figures of docs/performance.md into docs/benchmarks/$(NAME).json
	$(VENV)/python scripts/benchmarks.py $(NAME)

bench-short: setup-test  ## two small rows of the same, some ten seconds
	$(VENV)/vidtrans bench suite --models street,pix2pix --sizes 256x128 --seconds 1

help:  ## these lines
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | expand -t 12

clean:  ## everything that was made here
	rm -rf .venv build dist vidtrans-demo
