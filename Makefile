# Everything happens in .venv, because a system's Python often refuses pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# TORCH=cpu: PyTorch without CUDA, which is of no use without an NVIDIA card; uv knows where such wheels are
TORCH ?=
ifeq ($(TORCH),)
INSTALL := $(BIN)/python -m pip install --quiet
FETCHED := on Linux about 6 GB with CUDA for NVIDIA cards; 'make run TORCH=cpu' leaves it out and needs about 2 GB
else
INSTALL := $(BIN)/python -m pip install --quiet uv && $(BIN)/uv pip install --python $(BIN)/python --torch-backend=$(TORCH)
FETCHED := about 2 GB without CUDA
endif

# MODEL=dcgan: only the tests that a change in this model, its room or its weights can fail
MODEL ?=

.PHONY: run test clean

run: $(VENV)/.installed
	$(BIN)/python app.py

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(if $(MODEL),--model $(MODEL))

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# the stamps are older than a changed requirements file, and only then is anything installed again
$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Fetching what requirements.txt names into $(VENV): $(FETCHED)."
	$(INSTALL) -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt | $(BIN)/python
	@echo "Fetching what requirements-dev.txt names into $(VENV): $(FETCHED)."
	$(INSTALL) -r requirements-dev.txt
	touch $@ $(VENV)/.installed
