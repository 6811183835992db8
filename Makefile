# Every target does its own set-up: see scripts/bootstrap.
.PHONY: help demo test check soak bench test-slurm-matrix lock clean
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

demo: ## agents and tasks with different model variants on a real, private Slurm; one preempted and resumed
	@scripts/bootstrap
	@$(BIN)/python -m examples.lab.demo

check: ## format, lint, types, contracts, unit tests
	@scripts/bootstrap
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -q -m "not soak" --doctest-modules cfslurm/core tests/core tests/golden tests/docs

test: ## everything: check, and all tests on a real Slurm, a real Hub and real files
	@scripts/bootstrap test
	$(MAKE) check
	$(MAKE) -C spank check
	$(PYTEST) -m "not soak" --ignore=tests/core --ignore=tests/golden --ignore=tests/docs tests

soak: ## the long campaigns; prints their counts
	@scripts/bootstrap test
	$(PYTEST) -m soak -s tests
	$(MAKE) -C spank fuzz

test-slurm-matrix: ## the sandbox, runs and the plugin on Slurm 24.11 and 26.05, in roots of newer Debians (needs root; long)
	@scripts/bootstrap test
	@scripts/slurm-matrix

bench: ## all benchmarks, beside peers and limits
	@scripts/bootstrap test
	@missed=0; for name in startup harvest spank sessions prediction; do \
	  $(BIN)/python -m benchmarks.$$name || missed=1; done; exit $$missed

lock: ## pin all dependencies anew (needs uv)
	scripts/lock.sh

clean: ## remove the environment and caches
	rm -rf .venv .demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
