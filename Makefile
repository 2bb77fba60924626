# Every target does its own set-up: `make demo` and `make test` work on a fresh checkout.
# ARGS is handed on: make test ARGS="tests/unit -k sharing", make down ARGS=--wipe.

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos bench up down backup restore lint docs texts lock

PYTHON ?= python3
ARGS ?=
RUN := .venv/bin/python -m

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.synced ## make .venv from requirements.lock

demo: .venv/.synced ## a whole market day on private servers, with a report in .local/demo
	$(RUN) infra.demo $(ARGS)

test: .venv/.synced ## all tests, on private servers
	$(RUN) pytest $(ARGS)

chaos: .venv/.synced ## break everything under load; ARGS="--seed 7 --only broker --minutes 30 --list --jobs 2"
	$(RUN) tests.chaos $(ARGS)

bench: .venv/.synced ## orders per second against what others would write; ARGS="--rounds 3"
	$(RUN) tests.perf $(ARGS)

up: .venv/.synced ## start servers and services, seeded, and leave them running
	$(RUN) infra.local up $(ARGS)

down: .venv/.synced ## stop what `make up` started (ARGS=--wipe also deletes its data)
	$(RUN) infra.local down $(ARGS)

backup: .venv/.synced ## dump the databases of `make up`, services running, into .local/backups
	$(RUN) infra.local backup $(ARGS)

restore: .venv/.synced ## bring them back: ARGS="orders", ARGS="--from .local/backups/20261124T150000Z"
	$(RUN) infra.local restore $(ARGS)

lint: .venv/.synced ## ruff, mypy, import-linter
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	$(RUN) mypy
	.venv/bin/lint-imports

docs: .venv/.synced ## write the AsyncAPI and OpenAPI files and the frozen schemas
	$(RUN) infra.docs $(ARGS)

texts: .venv/.synced ## bring the catalogues of notices up to date with code and templates (ARGS=--check)
	$(RUN) infra.catalogues $(ARGS)

lock: .venv/.synced ## pin the newest allowed dependencies, with hashes, in requirements.lock
	UV_SYSTEM_CERTS=1 .venv/bin/uv pip compile --generate-hashes --group dev pyproject.toml -o requirements.lock \
		--no-annotate --no-header --python-version 3.11 --universal --upgrade

.venv/.synced: requirements.lock infra/uv.requirements.lock infra/local/setup.sh
	PYTHON="$(PYTHON)" sh infra/local/setup.sh
