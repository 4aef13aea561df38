PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
BENCH := .venv-bench
LOWEST := .venv-lowest
TESTS := -n 2
FUZZ ?= -max_total_time=600

.DEFAULT_GOAL := help
.PHONY: help generate check test test-lowest lint types docs demo fuzz bench load clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

generate: $(INSTALLED) ## make the package and its docs from openapi/
	@$(BIN)/python openapi/generate.py

check: $(INSTALLED) ## fail if the generated files are not what openapi/ gives
	@$(BIN)/python openapi/generate.py --check

test: $(INSTALLED) ## run the tests
	@$(BIN)/python -m pytest $(TESTS)

# Without the tests of the generator and of type checkers, which bring versions of their own.
test-lowest: $(LOWEST)/installed ## run the tests with the lowest versions that setup.py allows
	@$(LOWEST)/bin/python -m pytest $(TESTS) --ignore test/generation --ignore test/typing

lint: $(INSTALLED) ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED) ## check types, strictly, with mypy and pyright
	@$(BIN)/mypy
	@$(BIN)/pyright

docs: $(INSTALLED) ## check the links of the docs and run their examples
	@$(BIN)/python -m pytest test/docs/test_docs.py

demo: $(INSTALLED) ## hold a session with an embedded server, and show it
	@$(BIN)/python -m openai_realtime_client demo

fuzz: $(INSTALLED) ## fuzz the event parsers; FUZZ holds libFuzzer's options
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
		'atheris==3.0.0; python_version >= "3.11"' 'atheris==2.3.0; python_version < "3.11"'
	@mkdir -p build
	@$(BIN)/python test/core/fuzz_events.py -artifact_prefix=build/ $(FUZZ)

bench: $(INSTALLED) ## measure against json, msgspec, the official SDK and a stock client
	@$(PYTHON) -m venv $(BENCH)
	@$(BIN)/python benchmarks/stock.py build/bench
	@$(BENCH)/bin/python -m pip install -qq --disable-pip-version-check \
		--requirement benchmarks/requirements.txt . ./build/bench
	@$(BENCH)/bin/python benchmarks/run.py

load: $(INSTALLED) ## hold 200 sessions at once, and tear 1,000
	@$(BIN)/python benchmarks/sessions.py

clean: ## remove the tools and everything that can be made again
	rm -rf $(VENV) $(BENCH) $(LOWEST) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): setup.py
	@echo "- installing the tools into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable ".[dev]"
	@touch $@

$(LOWEST)/installed: $(INSTALLED) test/support/lowest.py
	@echo "- installing the lowest versions into $(LOWEST)"
	@$(PYTHON) -m venv $(LOWEST)
	@$(BIN)/python test/support/lowest.py > $(LOWEST)/requirements.txt
	@$(LOWEST)/bin/python -m pip install -qq --disable-pip-version-check \
		--requirement $(LOWEST)/requirements.txt --editable .
	@touch $@
