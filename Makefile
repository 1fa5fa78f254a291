# `make` lists what there is. Everything lives in .venv/ and var/; nothing is installed elsewhere, but for
# Chromium, which `make test` installs as root on Debian when it is absent.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
RUNTIME := $(VENV)/runtime.installed
DEVELOPMENT := $(VENV)/development.installed
PYTEST_ARGS ?=
BENCH_ARGS ?=
# NumPy's own threads would fight over the cores of a busy machine.
export OPENBLAS_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help install demo reset-demo test check smoke bench validate

help:  ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(DEVELOPMENT)  ## Create .venv with everything that runs, tests and checks the trial.

demo: $(RUNTIME)  ## Run a demo trial on this machine until Ctrl-C (PORT=8000; the closed door is the next port).
	@$(PY) -m trialsite.demo --port $(PORT)

reset-demo: $(RUNTIME)  ## Remove the demo and its data; the next `make demo` starts over.
	@$(PY) -m trialsite.demo --reset

test: $(DEVELOPMENT)  ## Run the whole test suite against its own embedded servers.
	@PYTHON=$(PY) sh .ci/test $(PYTEST_ARGS)

check: $(DEVELOPMENT)  ## Lint, format, types, layers, migrations, deployment settings, OpenAPI schema.
	@PYTHON=$(PY) sh .ci/check

smoke: $(DEVELOPMENT)  ## Do a coordinator's and a DSMB member's main job over HTTP, in a throw-away demo.
	@$(PY) -m trialsite.demo --throw-away -- $(PY) -m tests.journeys.smoke

bench: $(DEVELOPMENT)  ## Measure what the README claims about speed, each against its peer in the same run.
	@$(PY) -m trialsite.services run -- $(PY) -m benchmarks $(BENCH_ARGS)

validate: $(DEVELOPMENT)  ## Compare every reference number, run the simulations (20 minutes), write docs/validation.md.
	@$(PY) -m tests.validation

$(PY):
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	"Python 3.11 or newer is needed; %s is %d.%d. Name another: make PYTHON=python3.13" % (sys.executable, *v[:2]))'
	@$(PYTHON) -m venv $(VENV)

# The marks hold the time of the last installation: a second run asks nobody anything.
$(RUNTIME): requirements.txt | $(PY)
	@PYTHON=$(PY) sh .ci/install requirements.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	@PYTHON=$(PY) sh .ci/install requirements-dev.txt
	@touch $@
