PYTHON ?= python3
CONFIG ?= configs/cdcgan.py
WORKDIR ?= runs
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run example test test-all test-faults audit lint kernels tensorboard benchmark ablations clean
.DEFAULT_GOAL := help

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.run: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: $(VENV)/.run  ## install if needed, then train CONFIG (default configs/cdcgan.py)
	$(BIN)/python -m gan_jax.main --config $(CONFIG)

kernels: $(VENV)/.run  ## build the optional CPU kernels for this processor (needs a C++ compiler)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "setuptools>=77"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation ./kernels

example: $(VENV)/.run  ## a GAN in one file: trains for about a minute and writes one_file_gan.png
	$(BIN)/python examples/one_file_gan.py

test: $(VENV)/.dev  ## install if needed, then run the fast tests of every part; under 4 minutes on two cores
	$(BIN)/python -m pytest -m 'not thorough and not slow and not faults'

test-all: $(VENV)/.dev  ## run the tests of make test and the thorough ones, as CI does
	$(BIN)/python -m pytest

test-faults: $(VENV)/.dev  ## run the tests of faults (kills, full disks, damaged files, wrong config values); takes minutes
	$(BIN)/python -m pytest -m faults --dist worksteal

audit: $(VENV)/.dev  ## check the installed packages for known vulnerabilities with pip-audit (asks PyPI)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/python -m pip_audit --progress-spinner off

lint: $(VENV)/.dev  ## run ruff's format and lint checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

tensorboard: $(VENV)/.run  ## show the runs in WORKDIR (default runs) in TensorBoard, on this machine only
	$(BIN)/python -m tensorboard.main --logdir $(WORKDIR) --host localhost

benchmark: $(VENV)/.run  ## compare step times with PyTorch (first: .venv/bin/pip install torch)
	$(BIN)/python -m experiments.benchmarks

ablations: $(VENV)/.run  ## run ablation studies; PRESET=full STUDIES=loss,noise BASES=tuned SEEDS=3 STEPS=1000 JOBS=2 IDX=folder BACKEND=ray
	$(BIN)/python -m experiments.ablations $(if $(PRESET),--preset $(PRESET)) $(if $(STUDIES),--studies $(STUDIES)) \
		$(if $(BASES),--bases $(BASES)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(STEPS),--steps $(STEPS)) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(IDX),--idx $(IDX)) $(if $(BACKEND),--backend $(BACKEND))

clean:  ## remove the environment and the caches, but not runs/
	rm -rf $(VENV) .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
