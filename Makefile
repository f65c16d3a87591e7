# make run          the whole office, in one command
# make test         everything that must hold
# make run-dev      as run, with auto-reload
# make prove        what takes longer than a test may: all storms, benchmarks
# make backup       database and secrets, while the office runs
# make restore FILE=var/backups/office-20261122T101500Z.tar.gz
# make pictures     the pictures of the README, from the demo office
# make lint, make messages, make clean

PYTHON := .venv/bin/python
MANAGE := $(PYTHON) manage.py
# Tests have a data folder of their own, and meet no server but those they start.
TEST_DIR := $(CURDIR)/var/test
SQLITE := VAR_DIR="$(TEST_DIR)" DATABASE_URL="sqlite:///$(TEST_DIR)/office.sqlite3"
POSTGRESQL := VAR_DIR="$(TEST_DIR)" $(PYTHON) -m tests.postgresql
PYTEST := $(PYTHON) -m pytest -q
QUICK := not browser and not processes and not storm and not benchmark

.PHONY: processes-sqlite processes-postgresql pictures run run-dev backup restore test prove lint messages clean environment development

run: environment
	@exec $(MANAGE) run_office

run-dev: environment
	@exec env DEBUG=yes $(MANAGE) run_office --procfile Procfile.dev

backup: environment
	@exec $(MANAGE) backup_office

restore: environment
	@test -n "$(FILE)" || { echo "Say which backup: make restore FILE=var/backups/..." >&2; exit 1; }
	@exec $(MANAGE) restore_office "$(FILE)" $(if $(filter yes,$(REPLACE)),--replace)

test: lint
	@echo "== Types"
	@$(SQLITE) $(PYTHON) -m mypy
	@echo "== The apps know nothing of each other"
	@.venv/bin/lint-imports
	@echo "== Settings of production"
	@$(SQLITE) BASE_URL=https://office.example $(MANAGE) check --deploy --fail-level WARNING
	@echo "== Migrations"
	@$(SQLITE) $(MANAGE) makemigrations --check
	@echo "== Persian catalogue"
	@$(SQLITE) $(PYTEST) tests/test_catalogue.py
	@echo "== Suite on SQLite"
	@$(SQLITE) $(PYTEST) -n 2 -m "$(QUICK)"
	@echo "== Suite on PostgreSQL"
	@$(POSTGRESQL) $(PYTEST) -n 2 -m "$(QUICK) and not walk and not anywhere"
	@echo "== Real processes, on both databases side by side: they mostly wait"
	@$(MAKE) --no-print-directory -j 2 --output-sync=target processes-sqlite processes-postgresql
	@echo "== Browser"
	@$(SQLITE) $(PYTEST) -n 2 -m browser

processes-sqlite:
	@$(SQLITE) $(PYTEST) -m "processes and not browser and not storm"

processes-postgresql:
	@$(POSTGRESQL) $(PYTEST) -p no:cacheprovider \
		-m "processes and not browser and not storm and not anywhere"

# Figures of PostgreSQL are those of one whose commits wait for the disk.
prove: development
	@$(SQLITE) $(PYTEST) -s -p no:randomly -m "storm or benchmark"
	@DURABLE=yes $(POSTGRESQL) $(PYTEST) -s -p no:randomly -m "storm or benchmark or walk or anywhere"

pictures: development
	@PICTURES="$(CURDIR)/docs/images" $(SQLITE) $(PYTEST) tests/browser/test_pictures.py

lint: development
	@echo "== Lint and format"
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

messages: development
	@for app in backoffice inventory reservations orders; do \
	  (cd $$app && ../$(PYTHON) ../manage.py makemessages -l fa --no-obsolete --no-location \
	  && ../$(PYTHON) ../manage.py compilemessages -l fa) || exit 1; done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf var/test var/static var/static.digest var/cache

environment:
	@$(call install,requirements.txt)
	@$(PYTHON) -m backoffice.environment

development:
	@$(call install,requirements-dev.txt)
	@VAR_DIR="$(TEST_DIR)" $(PYTHON) -m backoffice.environment

# Make .venv where it is missing, broken or was moved; install a file of requirements when it
# changed since the last time.
define install
set -e; \
state() { { cat requirements*.txt; pwd; $(PYTHON) -V; } 2>&1 | cksum; }; \
stamp=.venv/$(1).stamp; \
if [ "$$(cat $$stamp 2>&1)" != "$$(state)" ]; then \
  if ! $(PYTHON) -m pip --version >/dev/null 2>&1 || ! grep -qF "$$(pwd)/" .venv/pyvenv.cfg; then \
    for candidate in python3 python3.13 python3.12 python3.11 ""; do \
      $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
        2>/dev/null && break || true; \
    done; \
    if [ -z "$$candidate" ]; then \
      echo "The office needs Python 3.11, 3.12 or 3.13; python3 here: $$(python3 -V 2>/dev/null || echo none)." >&2; \
      exit 1; \
    fi; \
    if ! $$candidate -c 'import ensurepip, venv' 2>/dev/null; then \
      echo "Python's venv is missing: install it with 'apt install python3-venv'." >&2; \
      exit 1; \
    fi; \
    echo "Making .venv with $$($$candidate -V)"; \
    $$candidate -m venv --clear .venv; \
  fi; \
  echo "Installing $(1)"; \
  $(PYTHON) -m pip install -q --disable-pip-version-check -r $(1); \
  state > $$stamp; \
fi
endef
