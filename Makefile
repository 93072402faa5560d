# Everything runs in .venv; the only things needed on the machine are Python >= 3.11, pip, make and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-sandboxes test-activities test-slow test-console drills faults chaos replay-always replay-running histories lint types lock clean

help:  ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

setup: $(READY)  ## create .venv with the locked packages

demo: $(READY)  ## run one implementation end to end on this machine, people played by a script
	$(BIN)/mlc demo

up: $(READY)  ## start the same stack and leave it running for a person
	$(BIN)/mlc up

test: $(READY)  ## run the tests of the process, its worker and its relay
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup --ignore tests/sandbox --ignore tests/console \
		--ignore tests/activities --ignore tests/end_to_end/slow \
		--ignore tests/worker/processes

test-activities: $(READY)  ## run the tests of what is said to each outside system, and of the review document
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup tests/activities

test-slow: $(READY)  ## run the slower tests: restarts, outages, stops, lies on the stack, and the worker's process
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup tests/end_to_end/slow tests/worker/processes

test-console: $(READY)  ## run the tests of the mlc command, with whole stacks
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup tests/console

test-sandboxes: $(READY)  ## run the tests of the two sandboxes themselves
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup tests/sandbox

drills: $(READY)  ## the relay off, Jira hanging, and one run that meets every trouble; about five minutes
	$(BIN)/python -m pytest tests/end_to_end/slow/drill_*.py

faults: $(READY)  ## every outside effect under every fault, counted in the sandboxes; ten to twenty minutes
	$(BIN)/python -m tests.faults

chaos: $(READY)  ## many implementations while everything is killed and cut off; SEED=… repeats one, ten minutes at most
	$(BIN)/python -m bench.chaos $(SEED) $(if $(DEFECT),--defect $(DEFECT))

replay-always: $(READY)  ## test the workflows with every task replayed from the beginning of its history
	REPLAY_ALWAYS=1 $(BIN)/python -m pytest tests/workflows

replay-running: $(READY)  ## replay with this code every run under way on the server of TEMPORAL_ADDRESS; only reads
	$(BIN)/python -m tests.replay.replaying

# REPLACE=--replace records the newest generation anew, for code by which no run was ever started.
histories: $(READY)  ## record histories of every shape for tests/replay (docs/changing-the-process.md)
	$(BIN)/python -m tests.replay.record $(REPLACE)

lint: $(READY)  ## style and import checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## static types
	$(BIN)/mypy

# Existing pins stay as long as they fit; UPGRADE=--upgrade takes the newest of everything.
RESOLVE = uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header $(UPGRADE) pyproject.toml
lock:  ## write the locks of production, local stack and development (needs uv; versions and hashes, no addresses)
	$(RESOLVE) -o requirements.lock
	$(RESOLVE) --extra local -c requirements.lock -o requirements-local.lock
	$(RESOLVE) --extra dev -c requirements-local.lock -o requirements-dev.lock

clean:  ## remove the environment and the local stack's data
	rm -rf $(VENV) .mlc
