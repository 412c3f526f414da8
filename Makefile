# The words of this house. Every target sets up its own environment first (venv, pip, constraints).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
READY := $(VENV)/ready

.PHONY: help setup demo test test-all check format bench clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

# torch first and alone: the constraints file fixes its version, so that no other package pulls one.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt torch
	$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $(READY)

setup: $(READY)  ## make the virtual environment

demo: $(READY)  ## two hands on a built-in casserole: results and pictures in out/demo
	$(BIN)/bghop grasp casserole --out out/demo --overwrite
	@echo "Look at out/demo/grasps.png; out/demo/grasp_000.glb is the best grasp as a scene."

test: $(READY)  ## the fast tests (8 minutes on two cores of 2 GHz)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile --jaxtyping-packages=bghop,beartype.beartype

test-all: $(READY)  ## the slow tests and those that need other packages or files, too
	$(BIN)/python -m pytest -q -m "not gpu" --jaxtyping-packages=bghop,beartype.beartype

check: $(READY)  ## format, lint, layers, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/pyright

format: $(READY)  ## put every file in shape
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# Those that read data sets, results or files of the user are run by hand: docs/benchmark.md.
BENCHMARKS := $(filter-out $(addprefix benchmarks/,$(addsuffix .py,denoisers denoising grasp hold \
	natural shared_meshes transfer)),$(wildcard benchmarks/[a-z]*.py))

bench: $(READY)  ## the benchmarks that need no files, one JSON line each
	for file in $(BENCHMARKS); do $(BIN)/python $$file || exit 1; done

clean:  ## remove what make and the tools made, results too
	rm -rf $(VENV) out runs build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
