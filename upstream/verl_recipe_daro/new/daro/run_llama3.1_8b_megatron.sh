#!/usr/bin/env bash
# Llama-3.1-8B (base), one node of eight 80 GB GPUs. METHOD=grpo runs the baseline; arguments are passed on to verl.
set -xeuo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
METHOD=${METHOD:-daro}
MODEL_PATH=${MODEL_PATH:-models/llama-3.1-8b-plain}

python3 -m verl.trainer.main_ppo --config-path="$HERE/config" --config-name=daro_trainer \
    actor_rollout_ref.model.path="$MODEL_PATH" \
    data.train_files=data/plain/train.parquet \
    data.val_files=data/plain/test.parquet \
    data.max_response_length=3072 \
    actor_rollout_ref.rollout.max_model_len=4096 \
    actor_rollout_ref.actor.ppo_max_token_len_per_gpu=16384 \
    actor_rollout_ref.actor.megatron.tensor_model_parallel_size=2 \
    actor_rollout_ref.actor.megatron.param_offload=True \
    actor_rollout_ref.actor.megatron.override_transformer_config.recompute_granularity=full \
    actor_rollout_ref.actor.megatron.override_transformer_config.recompute_method=uniform \
    actor_rollout_ref.actor.megatron.override_transformer_config.recompute_num_layers=1 \
    trainer.experiment_name="$(basename "$MODEL_PATH")-$METHOD" \
    algorithm.adv_estimator="$METHOD" "$@"
