# Everything a newcomer needs: `make demo` and `make test`.
SHELL := /bin/bash
PY := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install demo test test-volumes check fmt lock clean
help:             ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## */\t/' | expand -t 14

install: .venv/.installed  ## a virtual environment with the locked dependencies; then run .venv/bin/suture

.venv/.installed: requirements.lock pyproject.toml
	@lab/python-env.sh
	@touch $@

demo: install     ## the whole loop on real servers that this machine boots
	@lab/debian-packages.sh
	@$(PY) -m lab.demo

test: install     ## style, types, architecture, and every test, the lab included
	@lab/debian-packages.sh ansible-core openssh-server postgresql rpm qemu-system-x86 grub-pc-bin grub-common e2fsprogs btrfs-progs snapper
	$(MAKE) check
	$(PY) -m pytest -n 4 --dist loadgroup

test-volumes: install  ## boot machines from LVM thin and Btrfs and take them back; twelve minutes of a core
	@lab/debian-packages.sh qemu-system-x86 e2fsprogs btrfs-progs
	SUTURE_TEST_VOLUMES=1 $(PY) -m pytest tests/lab/test_volumes.py

check: install    ## style, types and architecture only
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

fmt: install      ## put the code in its standard form
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock:             ## resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --group dev --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --upgrade -o requirements.lock

clean:            ## stop the lab's hosts, remove its mounts and roots
	@$(PY) -m lab clean
