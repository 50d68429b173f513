# Two commands on a fresh machine with Python 3.11: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
OLDEST := .venv-oldest/bin
INSTALLED := .venv/.installed
PYTHON_FILES := src tests conf benchmarks examples docs/hooks .github

.DEFAULT_GOAL := help
.PHONY: run test lint format slow coverage oldest mutants docs picture walk release doctor bench gpu-check help clean

# What `make bench` measures, and on what; ENCODER may be a folder. Without PARTS, those that docs/benchmarks.md names first.
PARTS ?=
DATA ?= ../shared/data/sib-zh-kk
ENCODER ?= xlm-roberta-base
DOCUMENTS ?= 100000
TURNS ?= 3
PEER_BIN := .venv-peers/bin

# Packages come by uv, faster than by pip, from where pip is set to take them: a mirror, a folder of wheels. They are
# compiled as pip would do it: where Python may write no bytecode, each process would compile all that it imports.
pip-setting = "$$($(1)/pip config list | sed -n "s/^[a-z:]*\.$(2)='\(.*\)'$$/\1/p" | tail -n 1)"
uv-install = UV_DEFAULT_INDEX=$(call pip-setting,$(1),index-url) UV_INDEX=$(call pip-setting,$(1),extra-index-url) \
	UV_FIND_LINKS=$(call pip-setting,$(1),find-links) UV_INDEX_STRATEGY=unsafe-best-match UV_SYSTEM_CERTS=true \
	$(1)/uv pip install --quiet --compile-bytecode --python $(1)/python
install = $(call uv-install,$(BIN)) $(1) || $(BIN)/pip install --quiet --disable-pip-version-check $(1)

$(INSTALLED): pyproject.toml constraints.txt
	@echo "installing the locked dependencies into .venv (about 3 GB on a disk)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(call install,--constraint constraints.txt --editable '.[dev]')
	@$(call install,--no-deps hydra-ray-launcher==1.2.2)  # tests compose it; Ray is large
	@touch $@

run: $(INSTALLED)  ## set up, then train on the demo collection and print the table (ARGS="setting=value …")
	$(BIN)/clir train $(ARGS)

# One thread a process: two workers' threads would wait for each other. Linear algebra reads it when it is imported.
# And the suite's own modules are compiled once, not by each of its processes.
WORKERS := --numprocesses=2 --dist=loadfile --no-loadscope-reorder
test slow coverage oldest walk: export OMP_NUM_THREADS = 1
test slow coverage oldest walk: export PYTHONDONTWRITEBYTECODE =

test: lint  ## set up, then the linters and the tests that a change must pass
	$(BIN)/pytest $(WORKERS) $(ARGS)

lint: $(INSTALLED)  ## ruff and the type checker
	$(BIN)/ruff check $(PYTHON_FILES)
	$(BIN)/ruff format --check $(PYTHON_FILES)
	$(BIN)/mypy

format: $(INSTALLED)  ## what ruff can put right
	$(BIN)/ruff check --fix $(PYTHON_FILES)
	$(BIN)/ruff format $(PYTHON_FILES)

slow: $(INSTALLED)  ## the tests that the default suite leaves out
	$(BIN)/pytest -o testpaths=tests -m slow $(WORKERS) $(ARGS)

coverage: $(INSTALLED)  ## the tests of `make test` with the lines they ran, in htmlcov/; fails below pyproject.toml's floor
	$(BIN)/pytest --cov --cov-report=term --cov-report=html $(WORKERS) $(ARGS)

# PyTorch's build for CUDA, 3 GB, where UV_TORCH_BACKEND=cpu does not name its own index.
oldest:  ## the suite with the oldest versions that pyproject.toml allows, in .venv-oldest
	test -d .venv-oldest || $(PYTHON) -m venv .venv-oldest
	$(OLDEST)/pip install --quiet --disable-pip-version-check uv==0.13.9
	$(call uv-install,$(OLDEST)) --resolution lowest-direct --editable '.[dev]'
	$(call uv-install,$(OLDEST)) --no-deps hydra-ray-launcher==1.2.2
	$(OLDEST)/pytest $(WORKERS) $(ARGS)

mutants: $(INSTALLED)  ## mutation testing: faults that no test fails (ONLY="clir_lightning.losses.*")
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[mutants]'
	OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 2 $(if $(ONLY),'$(ONLY)')
	$(BIN)/python benchmarks/mutants.py

docs: $(INSTALLED)  ## the documentation site in site/; runs the notebooks once (CLIR_DOCS_NOTEBOOKS=false: not)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

picture: $(INSTALLED)  ## the README's picture of a report, from a training on the demo (RUN=folder: of that run)
	$(BIN)/python benchmarks/report_picture.py $(RUN)

walk: export CLIR_WALK = whole
walk: $(INSTALLED)  ## a newcomer's way, from a fresh clone to the tour's last command
	$(BIN)/pytest -m 'slow or not slow' tests/test_walk.py $(ARGS)

doctor: $(INSTALLED)  ## what this machine has, and what missing extras would bring
	$(BIN)/clir doctor $(ARGS)

release: $(INSTALLED)  ## sdist and wheel in dist/, after both were installed elsewhere and run; nothing is uploaded
	$(BIN)/pytest tests/test_wheel.py tests/test_furniture.py
	rm -rf dist
	$(BIN)/python -m build --no-isolation

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
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*##\s*/  make \1\t/' | expand -t 18

clean:  ## remove the environment and all outputs
	rm -rf .venv .venv-oldest .venv-peers mutants outputs multirun dist site .cache htmlcov .coverage*
