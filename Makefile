# make demo   the console with simulated callers on it; nothing else is needed
# make test   the whole test suite; installs the agent's parts, too (torch, about 200 MB to download)
# make check  formatting, lint, types, import contracts
# make fuzz   a minute of made-up messages for every parser: make fuzz FUZZ_SECONDS=3600
# make bench  every figure that the README states

PYTHON ?= python3
FUZZ_SECONDS ?= 60
VENV := .venv
BIN := $(VENV)/bin

# PyPI's torch brings gigabytes of CUDA on Linux; this index has the build for processors alone. An index that cannot be
# reached costs seconds: pip then takes what it finds elsewhere.
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: demo run test check fuzz format bench clean

demo: $(VENV)/run.stamp
	$(BIN)/voip-tui demo

run: $(VENV)/run.stamp
	$(BIN)/voip-tui

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --ignore tests/peers/test_monitor.py $(PYTEST_ARGS)
	$(BIN)/python -m pytest tests/peers/test_monitor.py $(PYTEST_ARGS)  # a sound server's timing: nothing else beside it

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fuzz: $(VENV)/dev.stamp
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) --work .cache/fuzz

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "voip-tui needs Python 3.11 or later; $(PYTHON) is older. Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python cannot make virtual environments here. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }

$(VENV)/run.stamp: pyproject.toml $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --retries 0 --timeout 10 --extra-index-url $(TORCH_INDEX) '$(TORCH)'
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[agent,dev]'
	@touch $@ $(VENV)/run.stamp
