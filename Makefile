# Two commands work on a bare machine: `make demo` and `make test`. Both make .venv from requirements.lock first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for each in python3.12 python3.13 python3.11 python3 python; do \
	$$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$each && break; done)
VENV := .venv
BIN := $(VENV)/bin
MESH_HOME ?= $(CURDIR)/.mesh
export DAGSTER_HOME ?= $(MESH_HOME)/dagster
export DAGSTER_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false

.PHONY: help setup demo room test trino test-trino check drills attack dev reset lock

help:  ## Say what there is.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.made-from-lock  ## Make .venv from requirements.lock (uv when it is there, else pip).
	@$(BIN)/mesh interpreter >/dev/null

$(VENV)/.made-from-lock: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python 3.11, 3.12 or 3.13 here: install one, or call make PYTHON=/path/to/python" >&2; exit 3; }
	@echo "making $(VENV) with $$($(PYTHON) --version) from requirements.lock …"
	@rm -rf $(VENV)
	@if command -v uv >/dev/null; then \
		uv venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV) && \
		VIRTUAL_ENV=$(CURDIR)/$(VENV) uv pip install --quiet --require-hashes -r requirements.lock && \
		VIRTUAL_ENV=$(CURDIR)/$(VENV) uv pip install --quiet --no-deps --no-build-isolation -e . ; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

demo: setup  ## Materialize the four domains and look at them.
	@$(BIN)/python -m demo

room: setup  ## The demo's clean room in three processes, their traffic captured and searched; after make demo.
	@$(BIN)/python -m demo.apart

test: setup  ## Run all tests, but for those that need a Trino.
	@$(BIN)/pytest tests -n auto --dist loadfile -m "not trino"

trino: setup  ## Fetch the Trino that tests and laptops run: 0.8 GB, once for all work trees, by Maven.
	@$(BIN)/mesh trino fetch

test-trino: setup  ## Run the tests that need it: one coordinator and one worker, 2 GB.
	@$(BIN)/pytest tests -m trino

check: setup  ## Formatting, lint, layers, types: about a minute.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

drills: setup  ## Kill, fill and cut off everything on purpose: survived or lost, a line each (a quarter of an hour and more).
	@$(BIN)/python -W ignore -m drills

attack: setup  ## The red team's corpus, live: against plain views, and against the door (two minutes).
	@$(BIN)/python -W ignore -m tests.redteam.show

dev: setup  ## Dagster's UI and daemon on the demo's instance, a code server per domain: http://127.0.0.1:3000.
	@$(BIN)/mesh up --port 3000

reset:  ## Remove all state: storages, catalog, ledger, Dagster's history.
	@test ! -e "$(MESH_HOME)" -o ! -x $(BIN)/mesh || $(BIN)/mesh postgres stop >/dev/null
	@rm -rf "$(MESH_HOME)" rooms/spring

lock:  ## Compile requirements.lock anew from pyproject.toml.
	@uv pip compile --quiet --universal --generate-hashes --no-strip-extras --no-header --python-version 3.11 \
		--all-extras --group demo --group dev pyproject.toml -o requirements.lock
