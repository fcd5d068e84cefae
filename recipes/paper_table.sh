#!/usr/bin/env bash
# The paper's table: train each model with each method, evaluate it on the six benchmarks and compare it with GRPO.
#   bash recipes/paper_table.sh                   all three models, one run after another: 18 trainings
#   SEED=43 bash recipes/paper_table.sh llama8b   some models (the ends of the names run_daro_*.sh), another seed
#   bash recipes/paper_table.sh trainer.save_freq=50         KEY=VALUE: an argument of every training
# It stops at the first command that fails. The same command then goes on, and does nothing finished again.
# First it estimates its disk space. It keeps the logs of each finished run, and the weights of the last step.
# Data and models come first: docs/recipes/.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SEED=${SEED:-42} STEPS=${STEPS:-500} PYTHON=${PYTHON:-python3}
scripts=() arguments=()
for argument; do
    if [[ $argument == *=* ]]; then arguments+=("$argument"); else scripts+=("$argument"); fi
done
[[ ${#scripts[@]} -gt 0 ]] || scripts=(qwen2.5_math_1.5b qwen2.5_math_7b llama8b)

methods=(grpo daro daro_paper dapo dr_grpo lipo)

prune() { # keep only the last step's weights of a finished run, for evaluations. The optimizer is 6/7 of a checkpoint.
    local checkpoints=outputs/$1/checkpoints latest step
    latest=$checkpoints/latest_checkpointed_iteration.txt
    [[ -f $latest && $(<"$latest") == "$STEPS" ]] || return 0 # this run is trained for longer
    for step in "$checkpoints"/global_step_*; do
        if [[ $step == "$checkpoints/global_step_$STEPS" ]]; then rm -rf "$step/actor/optimizer"; else rm -rf "$step"; fi
    done
}

models=() names=()
for script in "${scripts[@]}"; do
    case $script in
        qwen2.5_math_1.5b | qwen2.5_math_7b) models+=("$script") names+=(--run "${script//_/-}-*-seed$SEED") ;;
        llama8b) models+=(llama3.1_8b) names+=(--run "llama-3.1-8b-*-seed$SEED") ;;
        *)
            echo "model: got '$script', expected qwen2.5_math_1.5b, qwen2.5_math_7b or llama8b. Fix: correct it" >&2
            exit 2
            ;;
    esac
done
"$PYTHON" -m daro_verl.cli table-disk --config-dir "$HERE/config" --methods "${#methods[@]}" --out outputs \
    "${names[@]}" "${models[@]}" "${arguments[@]}"

for script in "${scripts[@]}"; do
    model=${script//_/-} data=data/test.parquet tokens=8192
    [[ $script != llama8b ]] || model=llama-3.1-8b data=data/plain/test.parquet tokens=3072
    runs=() scores=()
    for method in "${methods[@]}"; do
        run=$model-$method-seed$SEED
        scored=outputs/evaluation/$run-global_step_$STEPS
        latest=outputs/$run/checkpoints/latest_checkpointed_iteration.txt
        if [[ ! -f $latest || $(<"$latest") -lt $STEPS ]]; then
            METHOD=$method OUTPUT=outputs/$run bash "$HERE/run_daro_$script.sh" "${arguments[@]}"
        fi
        # this very step, sampled alike for all runs: the trainings' variables of these names do not reach the evaluation
        OUT=$scored DATA=$data RESPONSE_TOKENS=$tokens TEMPERATURE=0.6 TOP_P=1.0 TOP_K=-1 SEED=0 TP=1 DP=0 \
            ROLLOUT_MEMORY=0.9 bash "$HERE/eval.sh" "outputs/$run/checkpoints/global_step_$STEPS"
        prune "$run"
        runs+=("outputs/$run") scores+=("$method=$scored")
    done
    "$PYTHON" -m daro_verl.cli compare "${scores[@]}" --out "outputs/evaluation/$model-seed$SEED.md"
    "$PYTHON" -m daro_verl.cli report "${runs[@]}" --out "outputs/evaluation/$model-seed$SEED-report"
done
