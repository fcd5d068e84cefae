#!/usr/bin/env bash
# Qwen2.5-Math-1.5B, one node of eight 80 GB GPUs. METHOD=grpo runs the baseline; arguments are passed on to verl.
set -xeuo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
METHOD=${METHOD:-daro}
MODEL_PATH=${MODEL_PATH:-models/qwen2.5-math-1.5b-16k}

python3 -m verl.trainer.main_ppo --config-path="$HERE/config" --config-name=daro_trainer \
    actor_rollout_ref.model.path="$MODEL_PATH" \
    actor_rollout_ref.actor.ppo_max_token_len_per_gpu=9216 \
    trainer.experiment_name="$(basename "$MODEL_PATH")-$METHOD" \
    algorithm.adv_estimator="$METHOD" "$@"
