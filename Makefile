# guidebench: `make run`, then open the report that it names. `make help` lists the rest.
CONFIG ?= config.yaml
PROFILE ?=
ADDRESS ?= 127.0.0.1
PORT ?= 5000
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
PYTHON ?= python3
BIN := .venv/bin
LOCK := envs/requirements.txt
UV := $(BIN)/uv
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
# recipes read these from the environment: their values may hold spaces and quotes
export CONFIG PROFILE ADDRESS PORT

.DEFAULT_GOAL := help
.PHONY: help setup run plan report ui server test test-slow slurm-test bench lint lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/installed  ## make the environment from the lock file

.venv/installed: $(LOCK) pyproject.toml
	@test -x $(UV) || { $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON): found $$($(PYTHON) --version), allowed: Python 3.11 or later"; exit 1; }; \
	  $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python $(LOCK)
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	@touch $@

run: setup  ## run the pipeline on CONFIG (config.yaml) with all cores, or by PROFILE (slurm)
	@$(BIN)/guidebench run --config "$$CONFIG" $(if $(PROFILE),--profile "$$PROFILE",--cores $(CORES))

plan: setup  ## what CONFIG would run and why, how long it takes, memory and disk
	@$(BIN)/guidebench plan --config "$$CONFIG"

report: setup  ## Snakemake's own self-contained report of CONFIG's results
	@name=$$($(BIN)/guidebench validate --config "$$CONFIG" --print-name) && \
	  $(BIN)/snakemake --configfile "$$CONFIG" --cores $(CORES) --report "results/$$name/snakemake-report.html"

ui: setup  ## MLflow's pages on localhost
	@$(BIN)/guidebench ui --config "$$CONFIG"

server: setup  ## an MLflow store for many machines (ADDRESS=0.0.0.0 lets them in)
	@$(BIN)/guidebench server --host "$$ADDRESS" --port "$$PORT"

test: setup  ## the fast tests on all cores (minutes); `make test-slow` runs the rest
	$(BIN)/python -m pytest --numprocesses $(CORES) --maxprocesses 8 --dist worksteal
	@echo "the slow suite: make test-slow"

test-slow: setup  ## the slow tests: killed runs, the forecast against the default run, SLURM
	$(BIN)/python -m pytest -m "slow or slurm"

slurm-test: setup  ## the pipeline on a private SLURM (root, Debian's slurm-wlm and munge)
	GUIDEBENCH_SLURM=required $(BIN)/python -m pytest -m slurm tests/slurm

bench: setup  ## measure every ratio of docs/performance.md and write its table (10 minutes)
	$(BIN)/python benchmarks/bench.py

lint: setup  ## formatting, style, types, who imports whom, workflow files
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/snakefmt --check Snakefile workflow

lock: $(UV)  ## resolve envs/*.in anew, with hashes and no addresses
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-header envs/requirements.in envs/development.in -o $(LOCK)

$(UV):
	$(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv

clean:  ## delete the environment, and the results after a question
	@printf 'delete results/ of every experiment, too? [y/N] '; read answer; \
	  case "$$answer" in y|Y) git clean -fdXq results && echo "results deleted";; *) echo "results kept";; esac
	rm -rf .venv .snakemake .pytest_cache .mypy_cache .ruff_cache
