#!/usr/bin/env bash
# DARO, or a baseline of its paper, on Qwen2.5-Math-7B: verl, Megatron-core actors, one node of eight 80 GB GPUs.
#   bash recipes/run_daro_qwen2.5_math_7b.sh                       METHOD=grpo, NNODES=2, ...: any knob, as a variable
#   DRY_RUN=1 bash recipes/run_daro_qwen2.5_math_7b.sh             check and print the configuration, on any machine
#   SMOKE=1 bash recipes/run_daro_qwen2.5_math_7b.sh               a few steps of a tiny model, without a GPU
# Arguments go to verl as they are, and win. Set-up, figures and their sources: docs/recipes/. Before each knob: its
# standing (paper: stated there; family: as in LUFFY and ReLIFT, by overlapping authors; judgement: ours), its meaning,
# and the keys of verl that it sets. The knobs that all models share are in common.sh.
set -euo pipefail -a # -a: knobs are exported
RECIPE=qwen2.5-math-7b
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/smoke.sh"

# paper: the base model, prepared with `python -m daro_verl.toolkit.models prepare` (family: 16384 positions).
# actor_rollout_ref.model.path
MODEL=${MODEL:-models/qwen2.5-math-7b-16k}
# family: Openr1-Math-46k-8192, with its think prompt; several files with commas. data.train_files
TRAIN_FILES=${TRAIN_FILES:-data/train.parquet}
# paper: six benchmarks. family: asked with the same think prompt. data.val_files
VAL_FILES=${VAL_FILES:-data/test.parquet}
# family: longest prompt, in tokens; longer ones in TRAIN_FILES are left out. data.max_prompt_length
MAX_PROMPT=${MAX_PROMPT:-1024}
# family: longest response, in tokens. data.max_response_length
MAX_RESPONSE=${MAX_RESPONSE:-8192}
# judgement: DAPO only, half of the longest response: tokens at its end over which the penalty grows.
# reward.reward_kwargs.overlong_buffer_cfg.len
OVERLONG_LEN=${OVERLONG_LEN:-4096}
# judgement: tensor parallelism of the actor. actor_rollout_ref.actor.megatron.tensor_model_parallel_size
TP=${TP:-2}
# judgement: pipeline parallelism of the actor. actor_rollout_ref.actor.megatron.pipeline_model_parallel_size
PP=${PP:-1}
# judgement: context parallelism of the actor. actor_rollout_ref.actor.megatron.context_parallel_size
CP=${CP:-1}
# judgement: tensor parallelism of a rollout server. actor_rollout_ref.rollout.tensor_model_parallel_size
ROLLOUT_TP=${ROLLOUT_TP:-1}
# judgement: 1 keeps weights, gradients and optimizer in host memory while the servers generate.
# actor_rollout_ref.actor.megatron.param_offload actor_rollout_ref.actor.megatron.optimizer_offload
OFFLOAD=${OFFLOAD:-1}
# judgement: tokens of a micro-batch per GPU, here two longest samples. actor_rollout_ref.actor.ppo_max_token_len_per_gpu
MAX_TOKENS=${MAX_TOKENS:-18432}
# judgement: share of a GPU for a server's weights and KV cache. actor_rollout_ref.rollout.gpu_memory_utilization
ROLLOUT_MEMORY=${ROLLOUT_MEMORY:-0.6}

. "$HERE/common.sh"
