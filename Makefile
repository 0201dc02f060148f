# The two commands that matter: 'make book' builds the site, 'make test' proves that what is there holds.
# Both create the environment in .venv that they need. 'make help' lists the rest.

VENV := .venv
BIN := $(VENV)/bin
SITE := _build/html
PORT ?= 8000
# The first Python of the machine that is new enough; name another with 'make book PY=python3.12'.
PY ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := help
.PHONY: help book test serve refresh data bench review slips lock prove solutions-free clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(VENV)/ready: requirements.txt data/pyproject.toml
	@test -n "$(PY)" || { echo "Python 3.11, 3.12 or 3.13 was not found: install one, or name it with 'make $(MAKECMDGOALS) PY=/path/to/python3'." >&2; exit 1; }
	@command -v git >/dev/null || { echo "git was not found: install it (on Debian: apt-get install git)." >&2; exit 1; }
	@echo "Installing the book's environment into $(VENV) (about a minute, once) ..."
	@$(PY) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PY) has no venv module: install it (on Debian: apt-get install python3-venv)." >&2; exit 1; }
	@rm -f $@ && { test -x $(BIN)/python || $(PY) -m venv $(VENV); }
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt || { echo "The packages did not install: the lines above say which. With a network, 'make $(MAKECMDGOALS)' goes on from here." >&2; exit 1; }
	@touch $@

book: $(VENV)/ready ## build the site into _build/html
	@$(BIN)/python assets/tools/build.py

test: book ## prove that everything holds: data, notebooks, models, site, exercises
	@$(BIN)/python tests/browser.py
	@$(BIN)/python assets/tools/unchanged.py $(BIN)/python -m pytest $(ARGS)

serve: book ## read the site at http://127.0.0.1:8000/ (PORT=...)
	@echo "Reading at http://127.0.0.1:$(PORT)/ - stop with Ctrl+C"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(SITE)

refresh: $(VENV)/ready ## run notebooks and store their outputs (CH=biology/testing for one)
	@$(BIN)/python assets/tools/refresh.py $(CH)

data: $(VENV)/ready ## check the tables: every fault at once, then renew their hashes
	@$(BIN)/python -m her2.validation --renew

solutions-free: $(VENV)/ready ## build the site without worked solutions, into _build/html-without-solutions
	@$(BIN)/python assets/tools/build.py --without-solutions

bench: book ## measure builds, tests and kernels for the colophon (a quarter of an hour; ARGS=--help)
	@$(BIN)/python assets/tools/bench.py $(ARGS)

prove: book ## plant one fault of each kind and see that the tests catch it
	@$(BIN)/python tests/prove.py

review: $(VENV)/ready ## list the claims due for another look (ON=2027-05-21 for another day)
	@$(BIN)/python assets/tools/review.py $(if $(ON),--on $(ON))

slips: $(VENV)/ready ## measure how many slips of the pen the data rules catch
	@$(BIN)/python tests/mutations.py

lock: $(VENV)/ready ## write requirements.txt anew from requirements.in
	@$(BIN)/python assets/tools/lock.py

clean: ## remove what can be made again
	@rm -rf _build $(VENV)
