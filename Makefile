# Two commands on a fresh machine with Python 3.11: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
OLDEST := .venv-oldest/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: run test lint slow oldest mutants bench gpu-check help clean

# What `make bench` measures, and on what; ENCODER may be a folder. Without PARTS, those that docs/benchmarks.md names first.
PARTS ?=
DATA ?= ../shared/data/sib-zh-kk
ENCODER ?= xlm-roberta-base
DOCUMENTS ?= 100000
TURNS ?= 3
PEER_BIN := .venv-peers/bin

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps hydra-ray-launcher==1.2.2  # tests compose it; Ray is large
	touch $@

run: $(INSTALLED)  ## set up, then train on the demo collection and print the table (ARGS="setting=value …")
	$(BIN)/clir train $(ARGS)

# One thread a process: two workers' threads would wait for each other. Linear algebra reads it when it is imported.
test slow oldest: export OMP_NUM_THREADS = 1

test: lint  ## set up, then everything that continuous integration checks
	$(BIN)/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

lint: $(INSTALLED)  ## ruff and the type checker
	$(BIN)/ruff check src tests conf benchmarks examples
	$(BIN)/ruff format --check src tests conf benchmarks examples
	$(BIN)/mypy

slow: $(INSTALLED)  ## the tests that the default suite leaves out
	$(BIN)/pytest -m slow $(ARGS)

# PyTorch's build for CUDA, 3 GB, where UV_TORCH_BACKEND=cpu does not name its own index.
oldest:  ## the suite with the oldest versions that pyproject.toml allows, in .venv-oldest
	test -d .venv-oldest || $(PYTHON) -m venv .venv-oldest
	$(OLDEST)/pip install --quiet --disable-pip-version-check uv==0.13.9
	$(OLDEST)/uv pip install --quiet --python $(OLDEST)/python --resolution lowest-direct --editable '.[dev]'
	$(OLDEST)/uv pip install --quiet --python $(OLDEST)/python --no-deps hydra-ray-launcher==1.2.2
	$(OLDEST)/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

mutants: $(INSTALLED)  ## mutation testing: faults that no test fails (ONLY="clir_lightning.losses.*")
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[mutants]'
	OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 2 $(if $(ONLY),'$(ONLY)')
	$(BIN)/python benchmarks/mutants.py

bench: $(INSTALLED) .venv-peers/.installed  ## the measurements of docs/benchmarks.md (PARTS="scoring training" ENCODER=folder)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.bench --parts $(PARTS) --data $(DATA) --encoder $(ENCODER) --documents $(DOCUMENTS) --turns $(TURNS) $(if $(MODEL),--model $(MODEL))

# sentence-transformers with its ONNX and OpenVINO back ends, which want another transformers than ours.
.venv-peers/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	$(PEER_BIN)/pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	touch $@

gpu-check: $(INSTALLED)  ## every path that only a GPU takes: checked, timed, one table; a notice without a GPU
	$(BIN)/python -m benchmarks.gpu_check

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*##\s*/  make \1\t/' | expand -t 16

clean:  ## remove the environment and all outputs
	rm -rf .venv .venv-oldest .venv-peers mutants outputs multirun dist
