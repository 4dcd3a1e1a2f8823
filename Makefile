# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
# Two processes, each file in one of them: what a file's tests share is made once.
PYTEST_FLAGS ?= -q -n 2 --dist loadfile

.PHONY: demo install test test-all fuzz check docs examples qgis-plugin clean

demo: $(VENV)/.installed
	$(BIN)/specvae demo --out demo

install: $(VENV)/.installed

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)

# The checkout is installed in place: sources may change without an install, but for those that a compiler reads.
NEEDS := pyproject.toml constraints.txt $(wildcard specvae/*/kernel/*.[ch])
# Modules are compiled when they are first imported: most of those of torch never are.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

$(VENV)/.installed: $(NEEDS) | $(VENV)/bin/python
	$(PIP) -e .
	touch $@

# What tests need holds what a user needs: one installation, not two in turn.
$(VENV)/.tests: $(NEEDS) | $(VENV)/bin/python
	$(PIP) -e ".[test]"
	touch $(VENV)/.installed $@

check: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m pytest $(PYTEST_FLAGS) -m "not slow" tests

# The result goes to reports/tests/report.md, whether all passed or not.
test-all: check
	mkdir -p build
	$(BIN)/python -m pytest $(PYTEST_FLAGS) --junitxml=build/test-all.xml tests; status=$$?; \
	$(BIN)/python -m tests.suite_report build/test-all.xml && exit $$status

# Ten thousand damaged inputs; the result goes to reports/fuzz/report.md.
fuzz: $(VENV)/.tests
	$(BIN)/python -m tests.fuzz --count 10000

$(VENV)/.docs: $(VENV)/.tests
	$(PIP) -e ".[docs]"
	touch $@

# The tutorials are run first: the site shows the figures that they draw.
docs: $(VENV)/.docs
	$(BIN)/python -m tests.tutorials
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Pages and figures of docs/results, on real data.
examples: $(VENV)/.docs
	for name in head_to_head grid_search rufiji spectral_64 patches; do $(BIN)/python examples/$$name.py || exit 1; done

# The plugin for QGIS, with the options of the package: dist/specvae-qgis-*.zip, for Plugins > Install from ZIP.
qgis-plugin: $(VENV)/.installed
	$(BIN)/python plugins/qgis/build.py

clean:
	rm -rf $(VENV) demo build dist site
