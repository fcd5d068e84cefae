# Sourced first by the recipes: with SMOKE=1, values small enough for a few minutes on two CPU cores. Knobs that are not
# here are the recipe's own, and what you set wins over both. The model, of the recipe's architecture, and the data are
# made on the spot, under OUTPUT.
[[ ${SMOKE:-0} == 1 ]] || return 0
unset RAY_ADDRESS # a Ray of its own

OUTPUT=${OUTPUT:-outputs/smoke/$RECIPE-${METHOD:-daro}}
MODEL=${MODEL:-$OUTPUT/model}
TRAIN_FILES=${TRAIN_FILES:-$OUTPUT/data/train.parquet}
VAL_FILES=${VAL_FILES:-$OUTPUT/data/test.parquet}
GPUS=${GPUS:-2}
OFFLOAD=${OFFLOAD:-0}
BRIDGE=${BRIDGE:-mbridge}
RECOMPUTE=${RECOMPUTE:-none} # the stand-in for a GPU is not there in the thread of the backward pass
MAX_PROMPT=${MAX_PROMPT:-320}
MAX_RESPONSE=${MAX_RESPONSE:-24}
OVERLONG_LEN=${OVERLONG_LEN:-8}
MAX_TOKENS=${MAX_TOKENS:-4096}
BATCH=${BATCH:-8}
MINI_BATCH=${MINI_BATCH:-4}
ROLLOUTS=${ROLLOUTS:-4}
LR=${LR:-1e-4}
STEPS=${STEPS:-2}
SAVE_EVERY=${SAVE_EVERY:-2}
TEST_EVERY=${TEST_EVERY:-2}
VAL_FIRST=${VAL_FIRST:-0}
