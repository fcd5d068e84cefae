#!/usr/bin/env bash
# A GRPO job as in verl's own examples (grpo_trainer/run_qwen2-7b_math_megatron.sh: Qwen2-7B-Instruct on GSM8K and MATH,
# Megatron-core actors, vLLM, eight GPUs). The last setting turns it into DARO: nothing else differs from the GRPO job.
# METHOD=grpo runs the baseline. Arguments are passed on to verl.
set -euo pipefail

METHOD=${METHOD:-daro}
DATA=${DATA:-$HOME/data} # parquet files written by verl's examples/data_preprocess/{gsm8k,math_dataset}.py
export CUDA_DEVICE_MAX_CONNECTIONS=1

exec "${PYTHON:-python3}" -m verl.trainer.main_ppo model_engine=megatron \
    data.train_files="['$DATA/gsm8k/train.parquet','$DATA/math/train.parquet']" \
    data.val_files="['$DATA/gsm8k/test.parquet','$DATA/math/test.parquet']" \
    data.train_batch_size=1024 \
    data.max_prompt_length=1024 \
    data.max_response_length=1024 \
    data.filter_overlong_prompts=True \
    data.truncation=error \
    actor_rollout_ref.model.path=Qwen/Qwen2-7B-Instruct \
    actor_rollout_ref.actor.optim.lr=1e-6 \
    actor_rollout_ref.actor.ppo_mini_batch_size=256 \
    actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=4 \
    actor_rollout_ref.actor.megatron.tensor_model_parallel_size=2 \
    actor_rollout_ref.actor.megatron.pipeline_model_parallel_size=2 \
    actor_rollout_ref.actor.use_kl_loss=True \
    actor_rollout_ref.actor.kl_loss_coef=0.001 \
    actor_rollout_ref.rollout.name=vllm \
    actor_rollout_ref.rollout.n=5 \
    actor_rollout_ref.rollout.tensor_model_parallel_size=2 \
    actor_rollout_ref.rollout.gpu_memory_utilization=0.6 \
    actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=4 \
    actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=4 \
    actor_rollout_ref.ref.megatron.tensor_model_parallel_size=2 \
    actor_rollout_ref.ref.megatron.pipeline_model_parallel_size=2 \
    trainer.n_gpus_per_node=8 \
    trainer.save_freq=20 \
    trainer.test_freq=5 \
    trainer.total_epochs=15 \
    algorithm.adv_estimator="$METHOD" "$@"
