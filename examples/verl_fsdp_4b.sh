#!/usr/bin/env bash
# The one override of verl_megatron_7b.sh on verl's FSDP2 engine, after verl's grpo_trainer/run_qwen3_4b_fsdp.sh
# (Qwen3-4B on GSM8K, dynamic batch sizes, eight GPUs). METHOD=grpo runs the baseline. Arguments are passed on to verl.
set -euo pipefail

METHOD=${METHOD:-daro}
DATA=${DATA:-$HOME/data} # parquet files written by verl's examples/data_preprocess/gsm8k.py

exec "${PYTHON:-python3}" -m verl.trainer.main_ppo \
    data.train_files="$DATA/gsm8k/train.parquet" \
    data.val_files="$DATA/gsm8k/test.parquet" \
    data.train_batch_size=512 \
    data.max_prompt_length=1024 \
    data.max_response_length=1024 \
    data.filter_overlong_prompts=True \
    data.truncation=error \
    actor_rollout_ref.model.path=Qwen/Qwen3-4B \
    actor_rollout_ref.model.enable_gradient_checkpointing=True \
    actor_rollout_ref.actor.strategy=fsdp2 \
    actor_rollout_ref.actor.optim.lr=1e-6 \
    actor_rollout_ref.actor.ppo_mini_batch_size=256 \
    actor_rollout_ref.actor.use_dynamic_bsz=True \
    actor_rollout_ref.actor.ppo_max_token_len_per_gpu=3000 \
    actor_rollout_ref.actor.use_kl_loss=True \
    actor_rollout_ref.actor.kl_loss_coef=0.001 \
    actor_rollout_ref.rollout.name=vllm \
    actor_rollout_ref.rollout.n=5 \
    actor_rollout_ref.rollout.tensor_model_parallel_size=2 \
    actor_rollout_ref.rollout.gpu_memory_utilization=0.6 \
    actor_rollout_ref.rollout.log_prob_use_dynamic_bsz=True \
    actor_rollout_ref.rollout.log_prob_max_token_len_per_gpu=4096 \
    actor_rollout_ref.ref.log_prob_use_dynamic_bsz=True \
    actor_rollout_ref.ref.log_prob_max_token_len_per_gpu=8192 \
    trainer.n_gpus_per_node=8 \
    trainer.save_freq=20 \
    trainer.test_freq=5 \
    trainer.total_epochs=15 \
    algorithm.adv_estimator="$METHOD" "$@"
