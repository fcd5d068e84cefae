"""The RL job: verl's own ``verl.trainer.main_ppo`` with Megatron actors and rollout servers on the CPU.

Only the settings of the quickstart are here. The settings for a machine without a GPU come from ``daro_verl.platform``.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from daro_verl.platform.overrides import cpu_overrides
from daro_verl.resume import repair_tracker, tracked_step
from examples.quickstart.task import GROUP_SIZE, Start, Task

REPOSITORY = Path(__file__).resolve().parents[2]
METHODS = ("daro", "grpo")
NUM_VALIDATION_RESPONSES = 4  # per held-out prompt
WARM_UP_SHARE = 0.1  # of the steps: Adam's first updates are as large as the rate, whatever the gradient


@dataclass(frozen=True)
class Job:
    """One RL run: its task, its method, its number of steps and its directory."""

    task: Task
    start: Start
    method: str
    steps: int
    directory: Path  # of this method: checkpoints, logs, results
    extra: tuple[str, ...] = ()  # the user's own Hydra overrides, which win
    rollout: str = "vllm"  # engine of the rollout servers

    @property
    def attempts(self) -> Path:
        """The folder of ``0001.jsonl`` (metrics) and ``0001.log`` (verl's output). Each resume adds such a pair."""
        return self.directory / "attempts"

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints"

    @property
    def answers(self) -> Path:
        """The folder of ``<step>.jsonl``, verl's dump of each validation: prompts, responses, scores."""
        return self.directory / "answers"

    def next_attempt(self) -> Path:
        """Path of the next attempt's files, without suffix. verl's logger would overwrite an existing file."""
        self.attempts.mkdir(parents=True, exist_ok=True)
        return self.attempts / f"{len(list(self.attempts.glob('*.log'))) + 1:04d}"

    def checkpointed_step(self) -> int:
        """The step from which verl resumes; 0 without a checkpoint."""
        repair_tracker(self.checkpoints)  # after a kill in the moment when verl wrote it
        return tracked_step(self.checkpoints) or 0

    def command(self) -> list[str]:
        task = self.task
        platform = cpu_overrides(task.num_devices, dtype=task.dtype, rollout_dtype=task.dtype, rollout=self.rollout)
        own = [*self._data(), *self._training(), *self._rollout(), *self._trainer()]
        settings = [*platform, *own, *task.settings]
        return [sys.executable, "-m", "verl.trainer.main_ppo", *settings, *self.extra]

    def environment(self, attempt: Path) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}  # it starts a Ray
        paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        return environment | {
            "VERL_PLATFORM": "cpu",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONUNBUFFERED": "1",
            "VERL_FILE_LOGGER_PATH": str(attempt.with_suffix(".jsonl")),
            "TENSORBOARD_DIR": str(self.directory / "tensorboard"),
            "HF_HUB_OFFLINE": "1",
            "HYDRA_FULL_ERROR": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            # Ranks and servers take turns, so the ranks share the cores, and so do the servers.
            "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self.task.num_devices)),
            # Threads that wait for each other sleep. Beside other work, spinning costs more than the computation.
            "OMP_WAIT_POLICY": "PASSIVE",
            # Otherwise Ray starts an idle worker for each CPU that it may promise, which takes a minute, and gigabytes.
            "RAY_prestart_worker_first_driver": "0",
        }

    def _data(self) -> list[str]:
        return [
            f"data.train_files={self.start.data['train']}",
            f"data.val_files={self.start.data['test']}",
            f"data.train_batch_size={self.task.batch_size}",
            f"data.max_prompt_length={self.task.max_prompt_length}",
            f"data.max_response_length={self.task.max_response_length}",
            f"reward.custom_reward_function.path={self.task.reward}",
            f"actor_rollout_ref.model.path={self.start.model}",
        ]

    def _training(self) -> list[str]:
        actor = "actor_rollout_ref.actor"
        return [
            f"algorithm.adv_estimator={self.method}",
            *(["+algorithm.daro.metrics=all"] if self.method == "daro" else []),  # what `daro report` draws
            f"{actor}.megatron.tensor_model_parallel_size={self.task.tensor_parallel}",
            f"{actor}.optim.lr={self.task.learning_rate}",
            f"{actor}.optim.lr_warmup_steps_ratio={WARM_UP_SHARE}",
            f"{actor}.optim.use_checkpoint_opt_param_scheduler=True",  # else each resume warms up again
            f"{actor}.ppo_mini_batch_size={self.task.batch_size}",
            f"{actor}.ppo_micro_batch_size_per_gpu={self.task.micro_batch}",
            f"{actor}.use_dynamic_bsz=False",
            f"{actor}.use_kl_loss=False",
        ]

    def _rollout(self) -> list[str]:
        rollout = "actor_rollout_ref.rollout"
        return [
            f"{rollout}.n={GROUP_SIZE}",
            f"{rollout}.log_prob_micro_batch_size_per_gpu={self.task.micro_batch}",
            f"{rollout}.max_model_len={self.task.max_prompt_length + self.task.max_response_length}",
            f"{rollout}.max_num_seqs=128",
            f"{rollout}.max_num_batched_tokens=2048",
            f"{rollout}.val_kwargs.n={NUM_VALIDATION_RESPONSES}",
            f"{rollout}.val_kwargs.do_sample=True",
            f"{rollout}.val_kwargs.temperature=1.0",
            # vLLM serves /metrics in any case.
            *(["++" + f"{rollout}.engine_kwargs.sglang.enable_metrics=True"] if self.rollout == "sglang" else []),
        ]

    def _trainer(self) -> list[str]:
        """Validate at the start and at the end with the same measure. A resumed run has already measured its start."""
        is_resumed = 0 < self.checkpointed_step() < self.steps
        return [
            "trainer.logger=[console,file,tensorboard]",
            "trainer.project_name=quickstart",
            f"trainer.experiment_name={self.method}",
            f"trainer.total_training_steps={self.steps}",
            "trainer.total_epochs=1000",
            f"trainer.val_before_train={not is_resumed}",
            f"trainer.test_freq={self.steps}",
            f"trainer.save_freq={min(self.task.save_freq, self.steps)}",
            f"trainer.validation_data_dir={self.answers}",
            f"trainer.default_local_dir={self.checkpoints}",
            "trainer.max_actor_ckpt_to_keep=2",
            "trainer.resume_mode=auto",
            f"hydra.run.dir={self.directory / 'hydra'}",
        ]
