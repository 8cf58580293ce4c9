# Needs python 3.11 or newer, and make; everything else goes into .venv. ARGS is handed on: make test ARGS="-k names"

VENV = .venv
PYTHON = $(VENV)/bin/python
# Many tests wait for servers and clocks, so there are more processes than processors.
AT_ONCE := $(shell n=`getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2`; n=`expr 2 \* $$n`; [ $$n -le 8 ] || n=8; echo $$n)
# Tests write and sync many small files: in memory where there is much of it, and programs may be run from it.
IN_MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'END { exit !($$4 > 8000000) }' && \
    ! grep -q '^[^ ]* /dev/shm .*noexec' /proc/mounts && echo /dev/shm)
# Compiled once, not in each of the many processes that a test run starts.
export PYTHONDONTWRITEBYTECODE :=
# `--no-compile`: most of what comes is never imported, and what is gets compiled then.
PIP = $(PYTHON) -m pip --disable-pip-version-check -q

# The programs in an environment hold its full path: in a checkout that was moved they are useless.
MOVED := $(shell [ ! -f $(VENV)/.where ] || [ "`cat $(VENV)/.where`" = "$(CURDIR)" ] || rm -rf $(VENV))

.PHONY: demo test check bench chaos liars fuzz screenshots venv clean
.NOTPARALLEL:

demo: $(VENV)/.runtime
	$(VENV)/bin/notifier demo $(ARGS)

test: $(VENV)/.dev
	PYTEST_DEBUG_TEMPROOT=$(IN_MEMORY) $(PYTHON) -m pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/.dev
	$(PYTHON) -m tests.bench $(ARGS)

chaos: $(VENV)/.dev
	NOTIFIER_TEST_CHAOS=1 $(PYTHON) -m pytest -q -s tests/acceptance/test_chaos.py $(ARGS)

liars: $(VENV)/.dev
	NOTIFIER_TEST_LIARS=1 $(PYTHON) -m pytest -q -s tests/acceptance/test_liars.py $(ARGS)

fuzz: $(VENV)/.dev
	NOTIFIER_TEST_FUZZ=20 $(PYTHON) -m pytest -q tests/web/test_openapi.py tests/domain $(ARGS)

screenshots: $(VENV)/.dev
	$(PYTHON) -m tests.browser.screenshots docs/screens $(ARGS)

venv: $(VENV)/.dev

# The development environment holds all that running needs, so it counts as both.
$(VENV)/.dev: pyproject.toml $(PYTHON)
	@echo "installing what the tests and checks need into $(VENV) ..."
	@$(PIP) install --no-compile -e '.[dev]'
	@echo "$(CURDIR)" > $(VENV)/.where
	@touch $(VENV)/.runtime $@

$(VENV)/.runtime: pyproject.toml $(PYTHON)
	@echo "installing into $(VENV) ..."
	@$(PIP) install --no-compile -e .
	@echo "$(CURDIR)" > $(VENV)/.where
	@touch $@

# A name on PATH proves nothing (version shims exist and fail), so each is run. Where the venv module lacks its parts,
# as on a plain Debian, virtualenv does the same from a folder of its own.
$(PYTHON):
	@found=; \
	for name in python3.14 python3.13 python3.12 python3.11 python3; do \
	    if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found=$$name; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "no python 3.11 or newer runs here; on Debian: apt-get install python3" >&2; exit 1; fi; \
	rm -rf $(VENV); \
	if $$found -m venv $(VENV) >/dev/null 2>&1 && $(PYTHON) -m pip --version >/dev/null 2>&1; then exit 0; fi; \
	rm -rf $(VENV) .boot; \
	if $$found -m pip install -q --disable-pip-version-check --target .boot virtualenv >/dev/null 2>&1 && \
	    PYTHONPATH=.boot $$found -m virtualenv -q $(VENV) >/dev/null 2>&1 && \
	    $(PYTHON) -m pip --version >/dev/null 2>&1; then exit 0; fi; \
	rm -rf $(VENV) .boot; \
	version=`$$found -c 'import sys; print("%d.%d" % sys.version_info[:2])'`; \
	echo "$$found can make no virtual environment; on Debian: apt-get install python$$version-venv" >&2; exit 1

clean:
	rm -rf $(VENV) .boot dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
