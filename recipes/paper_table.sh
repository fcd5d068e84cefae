#!/usr/bin/env bash
# The paper's table: each model with each method trained, evaluated on the six benchmarks and compared with GRPO.
#   bash recipes/paper_table.sh                   all three models, one run after another: 18 trainings
#   SEED=43 bash recipes/paper_table.sh llama8b   some models (the ends of the names run_daro_*.sh), another seed
#   bash recipes/paper_table.sh trainer.save_freq=50         KEY=VALUE: an argument of every training
# It stops at the first command that fails, and the same command goes on: what is finished is not done again.
# Data and models come first: docs/recipes/.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SEED=${SEED:-42} STEPS=${STEPS:-500} PYTHON=${PYTHON:-python3}
scripts=() arguments=()
for argument; do
    if [[ $argument == *=* ]]; then arguments+=("$argument"); else scripts+=("$argument"); fi
done
[[ ${#scripts[@]} -gt 0 ]] || scripts=(qwen2.5_math_1.5b qwen2.5_math_7b llama8b)

for script in "${scripts[@]}"; do
    case $script in
        qwen2.5_math_1.5b | qwen2.5_math_7b) model=${script//_/-} data=data/test.parquet tokens=8192 ;;
        llama8b) model=llama-3.1-8b data=data/plain/test.parquet tokens=3072 ;;
        *)
            echo "model: got '$script', expected qwen2.5_math_1.5b, qwen2.5_math_7b or llama8b. Fix: correct it" >&2
            exit 2
            ;;
    esac
    runs=() scores=()
    for method in grpo daro daro_paper dapo dr_grpo lipo; do
        run=$model-$method-seed$SEED
        scored=outputs/evaluation/$run-global_step_$STEPS
        latest=outputs/$run/checkpoints/latest_checkpointed_iteration.txt
        if [[ ! -f $latest || $(<"$latest") -lt $STEPS ]]; then
            METHOD=$method OUTPUT=outputs/$run bash "$HERE/run_daro_$script.sh" "${arguments[@]}"
        fi
        # this very step, drawn in the same way for all: the trainings' variables of these names do not reach the evaluation
        OUT=$scored DATA=$data RESPONSE_TOKENS=$tokens TEMPERATURE=0.6 TOP_P=1.0 TOP_K=-1 SEED=0 TP=1 DP=0 \
            ROLLOUT_MEMORY=0.9 bash "$HERE/eval.sh" "outputs/$run/checkpoints/global_step_$STEPS"
        runs+=("outputs/$run") scores+=("$method=$scored")
    done
    "$PYTHON" -m daro_verl.cli compare "${scores[@]}" --out "outputs/evaluation/$model-seed$SEED.md"
    "$PYTHON" -m daro_verl.cli report "${runs[@]}"
done
