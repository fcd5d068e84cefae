# Sourced by the recipes: the knobs that all models share, and the job itself.

# paper: daro, its literal form daro_paper, and the baselines grpo, dapo, dr_grpo, lipo. Sets
# algorithm.adv_estimator=daro and the settings in daro_verl/toolkit/recipes/methods.py, so that every method logs the same
# figures. algorithm.daro.weighting
METHOD=${METHOD:-daro}
# judgement: engine of the rollout servers, vllm or sglang. actor_rollout_ref.rollout.name
INFER_BACKEND=${INFER_BACKEND:-vllm}

# judgement: nodes. More than one needs RAY_ADDRESS. trainer.nnodes
NNODES=${NNODES:-1}
# judgement: GPUs of a node. trainer.n_gpus_per_node
GPUS=${GPUS:-8}
# judgement: memory of a GPU in GB (10^9 bytes), which the estimate must not exceed. No key: only checked
GPU_MEMORY_GB=${GPU_MEMORY_GB:-80}
# judgement: the Ray cluster to join: auto, HOST:PORT or ray://HOST:PORT; none starts one here. No key: Ray reads it
RAY_ADDRESS=${RAY_ADDRESS:-none}
# judgement: weights between Megatron and Hugging Face: megatron-bridge, or mbridge (deprecated in verl, needs no
# Transformer Engine). actor_rollout_ref.actor.megatron.vanilla_mbridge
BRIDGE=${BRIDGE:-megatron-bridge}
# judgement: full computes activations again in the backward pass; none keeps them.
# actor_rollout_ref.actor.megatron.override_transformer_config.recompute_granularity
# actor_rollout_ref.actor.megatron.override_transformer_config.recompute_method
# actor_rollout_ref.actor.megatron.override_transformer_config.recompute_num_layers
RECOMPUTE=${RECOMPUTE:-full}

# family: prompts of a step. data.train_batch_size
BATCH=${BATCH:-128}
# family: prompts of an optimizer step. actor_rollout_ref.actor.ppo_mini_batch_size
MINI_BATCH=${MINI_BATCH:-64}
# family: responses to a prompt, the paper's G. actor_rollout_ref.rollout.n
ROLLOUTS=${ROLLOUTS:-8}
# judgement: sampling temperature in training, verl's default. actor_rollout_ref.rollout.temperature
TEMPERATURE=${TEMPERATURE:-1.0}
# family: learning rate of the model. actor_rollout_ref.actor.optim.lr
LR=${LR:-1e-6}
# judgement: steps of linear warm-up. actor_rollout_ref.actor.optim.lr_warmup_steps
WARMUP_STEPS=${WARMUP_STEPS:-0}
# judgement: verl's default. actor_rollout_ref.actor.optim.weight_decay
WEIGHT_DECAY=${WEIGHT_DECAY:-0.01}
# judgement: verl's default, largest norm of the gradient. actor_rollout_ref.actor.optim.clip_grad
CLIP_GRAD=${CLIP_GRAD:-1.0}
# judgement: entropy bonus, none. actor_rollout_ref.actor.entropy_coeff
ENTROPY_COEFF=${ENTROPY_COEFF:-0}
# judgement: clip of the ratio; method: 0.2. actor_rollout_ref.actor.clip_ratio_low
CLIP_LOW=${CLIP_LOW:-method}
# judgement: clip of the ratio; method: 0.28 for dapo (its paper), 0.2 for the others.
# actor_rollout_ref.actor.clip_ratio_high
CLIP_HIGH=${CLIP_HIGH:-method}
# judgement: dual clip; method: 10 for dapo (its authors' scripts), verl's default 3 for the others.
# actor_rollout_ref.actor.clip_ratio_c
CLIP_C=${CLIP_C:-method}
# judgement: DAPO only: what a response of full length loses. reward.reward_kwargs.overlong_buffer_cfg.penalty_factor
OVERLONG_PENALTY=${OVERLONG_PENALTY:-1.0}

# judgement: steps in all. trainer.total_training_steps
STEPS=${STEPS:-500}
# judgement: steps between checkpoints. trainer.save_freq
SAVE_EVERY=${SAVE_EVERY:-20}
# judgement: checkpoints that are kept. trainer.max_actor_ckpt_to_keep
KEEP=${KEEP:-2}
# judgement: auto goes on from the last checkpoint in OUTPUT; disable refuses an OUTPUT that has one.
# trainer.resume_mode
RESUME=${RESUME:-auto}
# judgement: steps between validations. trainer.test_freq
TEST_EVERY=${TEST_EVERY:-20}
# judgement: 1 validates before the first step. trainer.val_before_train
VAL_FIRST=${VAL_FIRST:-1}
# family: sampling temperature in validation. actor_rollout_ref.rollout.val_kwargs.temperature
VAL_TEMPERATURE=${VAL_TEMPERATURE:-0.6}
# family: nucleus in validation. actor_rollout_ref.rollout.val_kwargs.top_p
VAL_TOP_P=${VAL_TOP_P:-1.0}
# family: responses in validation; the rows of AIME and AMC say 32 themselves. actor_rollout_ref.rollout.val_kwargs.n
VAL_ROLLOUTS=${VAL_ROLLOUTS:-1}
# judgement: order of the data, sampling, initialisation.
# data.seed actor_rollout_ref.actor.data_loader_seed actor_rollout_ref.actor.megatron.seed actor_rollout_ref.rollout.seed
SEED=${SEED:-42}
# judgement: loggers of verl with commas; file is what daro_verl.toolkit.report reads. trainer.logger
LOGGER=${LOGGER:-console,file}
# judgement: of the loggers. trainer.project_name
PROJECT=${PROJECT:-daro}
# judgement: of the run. trainer.experiment_name
NAME=${NAME:-$RECIPE-$METHOD-seed$SEED}
# judgement: checkpoints and logs, on a disk that all nodes share. trainer.default_local_dir
OUTPUT=${OUTPUT:-outputs/$NAME}
# judgement: 1 checks and prints, and starts nothing. No key: of this recipe
DRY_RUN=${DRY_RUN:-0}
# judgement: 1 runs this recipe with a tiny model without a GPU, see smoke.sh. No key: of this recipe
SMOKE=${SMOKE:-0}

PYTHON=${PYTHON:-python3}
command -v "$PYTHON" >/dev/null || {
    echo "PYTHON: got '$PYTHON', expected a Python with daro-verl installed. Fix: activate its environment" >&2
    exit 2
}
exec "$PYTHON" -m daro_verl.toolkit.recipes "$@" # checks everything, then becomes verl.trainer.main_ppo
