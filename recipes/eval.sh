#!/usr/bin/env bash
# Six benchmarks from one checkpoint: bash recipes/eval.sh CHECKPOINT [options of `daro evaluate`].
# CHECKPOINT: trainer.default_local_dir (its latest), a global_step_N, an actor directory, a model directory or a hub id.
# Every variable can be set in the environment. The same command goes on after an interruption. docs/evaluation.md.
set -euo pipefail

CHECKPOINT=${1:?usage: bash recipes/eval.sh CHECKPOINT [OPTION ...]}
shift

name_of() { # outputs/NAME/checkpoints[/global_step_N[/actor]]: NAME-global_step_N; else the last two parts of the path
    local path=${1%/} latest=latest_checkpointed_iteration.txt
    [[ ! -d $path ]] || path=$(cd "$path" && pwd)
    [[ ! -f $path/$latest ]] || path+=/global_step_$(<"$path/$latest")
    path=${path%/actor}
    path=${path/\/checkpoints\/global_step_//global_step_}
    echo "$(basename "$(dirname "$path")")-$(basename "$path")"
}

# which problems
DATA=${DATA:-data/test.parquet}           # daro data test; 32 responses on AIME and AMC, 1 elsewhere (family of the paper)
OUT=${OUT:-outputs/evaluation/$(name_of "$CHECKPOINT")}
LIMIT=${LIMIT:-0}                         # problems of each benchmark, 0 for all; a limit gives no published figure

# how responses are drawn
TEMPERATURE=${TEMPERATURE:-0.6}           # family of the paper
TOP_P=${TOP_P:-1.0}                       # family of the paper
TOP_K=${TOP_K:--1}                        # judgement: none, as in verl's validation
RESPONSE_TOKENS=${RESPONSE_TOKENS:-8192}  # family of the paper; 3072 for Llama-3.1-8B (judgement)
SEED=${SEED:-0}                           # judgement

# engine and hardware
INFER_BACKEND=${INFER_BACKEND:-vllm}      # vllm or sglang
DTYPE=${DTYPE:-bfloat16}                  # judgement: what rollouts use
TP=${TP:-1}                               # judgement: 1.5B to 8B fit one GPU of 80 GB
DP=${DP:-0}                               # judgement: 0, the node's GPUs divided by TP
ROLLOUT_MEMORY=${ROLLOUT_MEMORY:-0.9}     # judgement: nothing else runs on the GPU

exec "${PYTHON:-python3}" -m daro_verl.cli evaluate "$CHECKPOINT" --data "$DATA" --out "$OUT" --limit "$LIMIT" \
    --temperature "$TEMPERATURE" --top-p "$TOP_P" --top-k "$TOP_K" --response-tokens "$RESPONSE_TOKENS" --seed "$SEED" \
    --backend "$INFER_BACKEND" --dtype "$DTYPE" --tp "$TP" --dp "$DP" --memory "$ROLLOUT_MEMORY" "$@"
