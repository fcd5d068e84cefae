#!/usr/bin/env bash
# DARO, or a baseline of its paper, on Llama-3.1-8B: verl, Megatron-core actors, one node of eight 80 GB GPUs.
#   bash recipes/run_daro_llama8b.sh                              METHOD=grpo, GPUS=4, ...: shortcuts, as variables
#   bash recipes/run_daro_llama8b.sh trainer.save_freq=10         any other setting, as a Hydra argument
#   DRY_RUN=1 bash recipes/run_daro_llama8b.sh                    check and print the configuration, on any machine
#   SMOKE=1 bash recipes/run_daro_llama8b.sh                      a few tiny steps without a GPU
#     (MODEL=smollm2: with a pretrained model)
# Settings, each with its standing: recipes/config/. Set-up, shortcuts and figures: docs/recipes/.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${PYTHON:-python3}" -m daro_verl.cli recipe --config-dir "$HERE/config" base_model=llama3.1_8b "$@"
