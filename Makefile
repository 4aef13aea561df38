PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
BENCH := .venv-bench
CLIENTS := .venv-clients
SERVERS := .venv-servers
LOWEST := build/lowest
FUZZ ?= -max_total_time=600
# Python compiles what is imported; compiling the rest would take half of the time.
PIP := -m pip install -qq --disable-pip-version-check --no-compile
PINS = $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --upgrade \
	--python-version
BENCH_VENV = $(PYTHON) -m venv $(BENCH) && \
	$(BENCH)/bin/python $(PIP) --require-hashes --requirement benchmarks/requirements.txt && \
	$(BENCH)/bin/python $(PIP) --no-build-isolation --no-deps .

# Containers often set it. The tools and tests start hundreds of processes, each of which would compile.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help generate fragment upstream changes check test test-lowest clients lint types \
	docs demo fuzz bench load servers browser build pins clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

generate: $(INSTALLED) ## make v1/ and ga/, in the package and in docs/, from openapi/; DRAFT=1 ALL=1
	@$(BIN)/python openapi/generate.py $(if $(DRAFT),--draft) $(if $(ALL),--all)

upstream: $(INSTALLED) ## compare with what is published; SPEC=file.yaml BASE=old.yaml APPLY=1
	@$(BIN)/python openapi/upstream.py $(if $(FRAGMENT),--fragment $(FRAGMENT)) \
		$(if $(SPEC),--spec $(SPEC)) $(if $(BASE),--base $(BASE)) $(if $(APPLY),--apply)

fragment: $(INSTALLED) ## cut a fragment out of a published document; SPEC=file NAME=x TAG=y PATHS=/z SCHEMAS="A B"
	@$(BIN)/python openapi/fragment.py --spec $(SPEC) --name $(NAME) $(if $(TAG),--tag $(TAG)) \
		$(if $(PATHS),--paths $(PATHS)) $(if $(SCHEMAS),--schemas $(SCHEMAS))

changes: $(INSTALLED) ## list what breaks and what is new since the last release tag, or SINCE=revision; CHECK=1
	@$(BIN)/python openapi/changes.py $(if $(SINCE),--since $(SINCE)) $(if $(CHECK),--check)

check: $(INSTALLED) ## fail if the generated files are not what openapi/ gives
	@$(BIN)/python openapi/generate.py --check

test: $(INSTALLED) ## run the tests, on all cores
	@$(BIN)/python -m pytest -n auto --dist worksteal

test-lowest: $(INSTALLED) $(LOWEST)/installed ## run them with the oldest dependencies that setup.py allows
	@PYTHONPATH=$(CURDIR)/$(LOWEST) $(BIN)/python -m pytest -n auto --dist worksteal test/core test/conversation test/realtime test/http

lint: $(INSTALLED) ## check style, formatting, spelling and workflows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell *.md docs examples openai_realtime_client openapi
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

clients: $(CLIENTS)/installed ## run clients of others against the embedded server; needs Python 3.11
	@PYTHONPATH=$(CURDIR) $(CLIENTS)/bin/python -m pytest -W ignore --confcutdir test/clients test/clients

types: $(INSTALLED) ## check types, strictly, with mypy and pyright
	@$(BIN)/mypy
	@$(BIN)/pyright

docs: $(INSTALLED) ## check the links of the docs and run their examples
	@$(BIN)/python -m pytest test/docs/test_pages.py test/docs/test_guides.py

demo: $(INSTALLED) ## talk with an embedded server, from examples/question.wav to answer.wav
	@$(BIN)/python -m openai_realtime_client talk --embedded --input examples/question.wav --output answer.wav

fuzz: $(INSTALLED) ## fuzz the event parsers; FUZZ holds libFuzzer's options
	@$(BIN)/python $(PIP) --require-hashes --requirement requirements-fuzz.txt
	@mkdir -p build
	@$(BIN)/python test/core/fuzz_events.py -artifact_prefix=build/ $(FUZZ)

bench: $(INSTALLED) ## measure against json, websockets, the official SDK and a stock client
	@$(BIN)/python benchmarks/stock.py build/bench
	@$(BENCH_VENV) ./build/bench
	@$(BENCH)/bin/python benchmarks/parse.py
	@$(BENCH)/bin/python benchmarks/session.py

servers: $(INSTALLED) ## check servers that others wrote; needs npm
	@$(PYTHON) -m venv $(SERVERS)
	@$(SERVERS)/bin/python $(PIP) --require-hashes --no-deps --requirement integration/servers.txt
	@mkdir -p build/servers && cp integration/package*.json build/servers
	@cd build/servers && npm ci --silent
	@$(BIN)/python -m pytest integration/test_servers.py

browser: $(INSTALLED) ## test pages in the system's Chromium; leaves screenshots in build/
	@$(BIN)/python $(PIP) --require-hashes --requirement requirements-browser.txt
	@mkdir -p build
	@$(BIN)/python -m pytest integration/test_browser.py

load: $(INSTALLED) ## hold 200 sessions at once, and cut 1,000
	@$(BIN)/python benchmarks/load.py

build: $(INSTALLED) ## build the sdist and the wheel into dist/
	@$(BIN)/python -m build --no-isolation

pins: $(INSTALLED) ## resolve all pins anew, after a change of setup.py or of a file .in
	@$(PINS) 3.10 setup.py --extra websocket --extra audio requirements-dev.in -o requirements-dev.txt
	@$(PINS) 3.10 setup.py --extra websocket --extra audio --resolution lowest-direct -o requirements-lowest.txt
	@$(PINS) 3.10 requirements-fuzz.in -o requirements-fuzz.txt
	@$(PINS) 3.10 requirements-browser.in -o requirements-browser.txt
	@$(PINS) 3.11 setup.py --extra websocket test/clients/requirements.in -o test/clients/requirements.txt
	@$(PINS) 3.11 setup.py --extra websocket benchmarks/requirements.in -o benchmarks/requirements.txt
	@$(PINS) 3.11 --override integration/overrides.txt integration/servers.in -o integration/servers.txt

clean: ## remove the tools and everything that can be made again
	rm -rf $(VENV) $(BENCH) $(CLIENTS) $(SERVERS) build dist *.egg-info .pytest_cache .mypy_cache \
		.ruff_cache .hypothesis

$(INSTALLED): requirements-dev.txt setup.py
	@echo "- installing the tools into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP) --require-hashes --requirement requirements-dev.txt
	@$(BIN)/python $(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(LOWEST)/installed: $(INSTALLED) requirements-lowest.txt
	@rm -rf $(LOWEST)
	@$(BIN)/python $(PIP) --require-hashes --requirement requirements-lowest.txt --no-deps --target $(LOWEST)
	@touch $@

$(CLIENTS)/installed: test/clients/requirements.txt test/clients/package-lock.json
	@echo "- installing the clients into $(CLIENTS)"
	@$(PYTHON) -m venv $(CLIENTS)
	@$(CLIENTS)/bin/python $(PIP) --require-hashes --requirement test/clients/requirements.txt
	@mkdir -p $(CLIENTS)/node && cp test/clients/package*.json $(CLIENTS)/node
	@cd $(CLIENTS)/node && ../bin/npm ci --silent
	@touch $@
