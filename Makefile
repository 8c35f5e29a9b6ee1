# Two commands on a fresh machine (python3 and make): `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
BIN := .venv/bin
BASE := .venv/.base
READY := .venv/.ready
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
DEMO := demo
TWEETS := ../shared/data/tweeteval/emotion

.PHONY: setup clients every-client demo test cover prove lint bench docs clean

setup: $(READY)

$(BASE): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv || { echo "python3 has no venv: on Debian, apt-get install python3-venv"; exit 1; }
	$(PIP) --editable .
	touch $@

# What the tests need besides: PyTorch alone is 750 MB, so the demo does without.
$(READY): $(BASE)
	$(PIP) --editable '.[dev]'
	touch $@

# Real clients of other makers, each in an environment of its own: tests/clients/NAME.txt says what is in it.
clients: $(patsubst tests/clients/%.txt,.venv/clients/%/.ready,$(wildcard tests/clients/*.txt))

# Those that are large are below tests/clients/prove: `make prove` alone asks them.
every-client: clients $(patsubst tests/clients/%.txt,.venv/clients/%/.ready,$(wildcard tests/clients/prove/*.txt))

.venv/clients/%/.ready: tests/clients/%.txt $(BASE)
	$(PYTHON) -m venv .venv/clients/$*
	.venv/clients/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# One in JavaScript, where npm is here.
.venv/clients/js/.ready: tests/clients/js/package.json $(BASE)
	mkdir -p .venv/clients/js
	cp $< .venv/clients/js/
	cd .venv/clients/js && npm install --silent --no-audit --no-fund
	touch $@

# From a labeled file to a model, its figures, and answers; then the same with real tweets, where they are.
demo: $(BASE)
	$(BIN)/cauce train examples/data/messages.csv --out $(DEMO)/messages --replace
	$(BIN)/cauce predict $(DEMO)/messages "No está nada mal, me encanta 😍" --explain
	$(BIN)/cauce predict $(DEMO)/messages "Brilliant, the app logged me out again." "¿A qué hora abre la sucursal?"
	@if [ -d $(TWEETS) ]; then set -x; \
	  $(BIN)/cauce train $(TWEETS)/train_text.txt --dev $(TWEETS)/val_text.txt --test $(TWEETS)/test_text.txt --out $(DEMO)/emotion --replace && \
	  $(BIN)/cauce predict $(DEMO)/emotion "I can't believe they did this to us" "So happy for you both!"; fi

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Three processes, a file each: what a file's tests share is made once. Many tests wait for a server or a clock, so two would leave a
# processor idle. One that dies is not replaced: xdist would wait for ever for the rest of its file.
TOGETHER := --numprocesses=3 --dist=loadfile --max-worker-restart=0

test: lint clients
	$(BIN)/pytest $(TOGETHER)

cover: setup clients
	$(BIN)/pytest $(TOGETHER) --cov --cov-report=term:skip-covered

prove: setup every-client $(if $(shell command -v npm),.venv/clients/js/.ready)
	$(BIN)/pytest -m prove --timeout=1200

bench: setup
	for each in benchmarks/*.py; do $(BIN)/python $$each || exit 1; done

# The pages and tables that are made from the code and from benchmarks/results.
docs: setup
	$(BIN)/python docs/reference/generate.py
	$(BIN)/python docs/figures.py
	$(BIN)/python docs/results.py
	$(BIN)/python docs/images/make_variants.py

clean:
	rm -rf .venv $(DEMO) dist .coverage .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
