# Two commands do everything on a fresh Debian or Ubuntu: `make demo` and `make test`.
.PHONY: demo gui test setup setup-gui setup-test lint format proofs bench clean

VENV := .venv/bin

demo: setup  ## a street film from labels, in ./vidtrans-demo
	$(VENV)/vidtrans demo

gui: setup-gui  ## the desktop editor
	$(VENV)/vidtrans-gui

setup:  ## the environment alone
	@scripts/setup.sh

setup-gui:
	@scripts/setup.sh gui

setup-test:
	@scripts/setup.sh test

test: setup-test  ## the whole suite, under ten minutes on two cores
	$(VENV)/python -m pytest

proofs: setup-test  ## the slow proofs: thousands of frames, long runs
	$(VENV)/python -m pytest -m slow

lint: setup-test  ## style, types, layers
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports

format: setup-test
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

bench: setup  ## speed figures as JSON
	$(VENV)/vidtrans bench

clean:
	rm -rf .venv build dist vidtrans-demo
