# `make run` starts it, `make test` proves it. Both install what they need, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

run: $(VENV)/installed
	@exec $(BIN)/proxyweb serve

test: $(VENV)/installed-for-tests
	@sh tests/system_packages.sh
	$(BIN)/pytest

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed-for-tests
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed-for-tests
	@$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "proxyweb needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.12 run"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	@ln -sf bin/python $@

$(VENV)/installed: $(VENV)/python setup.cfg constraints.txt
	@echo "Installing proxyweb into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-for-tests: $(VENV)/python setup.cfg constraints.txt
	@echo "Installing proxyweb and its tests' needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,dev]'
	@touch $@ $(VENV)/installed

.PHONY: run test lint format bench clean
