# Two commands do everything: `make demo` and `make test`. Both set up their own virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= demo-output
STRIDE ?= 20

# The release that dask-cuda 26.10 pins; the ordinary environment takes the newest.
PINNED = dask==2026.7.1 distributed==2026.7.1

.PHONY: demo test test-pinned resolve-cuda lint types contracts check clean
.DELETE_ON_ERROR:

$(VENV)/installed-%: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	touch $@

demo: $(VENV)/installed-all
	mkdir -p $(OUT)
	$(BIN)/magxr run demo --out $(OUT)/demo.zarr --stride $(STRIDE) --overwrite

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadscope

test-pinned: pyproject.toml
	test -x $(VENV)-pinned/bin/python || $(PYTHON) -m venv $(VENV)-pinned
	$(VENV)-pinned/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test,all]' $(PINNED)
	$(VENV)-pinned/bin/python -m pytest -n 2 --dist loadscope tests/chunked tests/steps tests/io tests/runs tests/clusters tests/whole

# Asks the index only: nothing of CUDA is downloaded.
resolve-cuda: $(VENV)/installed-dev
	$(BIN)/python tools/resolve.py cuda

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

contracts: $(VENV)/installed-dev
	$(BIN)/lint-imports

check: lint types contracts test

clean:
	rm -rf $(VENV) $(OUT) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
