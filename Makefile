# Set up a virtual environment (`make install`), train on sample photos (`make sample`), run the tests (`make test`).

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: install install-extras sample test test-slow check

install: $(VENV)/.installed

# What single features need besides.
install-extras: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[diffusion,export,train,video,web]'

sample: $(VENV)/.installed
	$(BIN)/python main.py --mode=train --data_dir=sample --run_dir=runs/sample --overwrite \
		--epochs=5 --batch_size=8 --image_size=128

test: $(VENV)/.installed
	$(BIN)/python -m pytest

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

$(VENV)/.installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@
