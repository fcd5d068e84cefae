"""The verl that this daro-verl was tried with: its versions, and the signatures that daro-verl relies on."""

import ast
import functools
from pathlib import Path

from packaging.specifiers import SpecifierSet

from daro_verl.errors import DaroVerlError, problem

SUPPORTED_VERL = SpecifierSet(">=0.9.1,<0.9.2")

TRIED: dict[str, dict[str, str]] = {
    "verl.utils.config": {"validate_config": "config use_reference_policy use_critic"},
    "verl.trainer.main_ppo": {"run_ppo": "config task_runner_class"},
    "verl.trainer.ppo.core_algos": {"register_adv_est": "name_or_enum"},
    "verl.trainer.ppo.v1.trainer_base": {"PPOTrainer._init_dataloader": "self"},
    "verl.trainer.ppo.utils": {"create_rl_sampler": "data_config dataset"},
    "verl.trainer.ppo.checkpoint_callback": {
        "CheckpointCallback.on_save": "self trainer global_step checkpoint_dir async_save kwargs"
    },
    "verl.trainer.ppo.v1.utils": {
        "compute_advantage_for_multi_trajectories": "data batch_keys adv_estimator gamma lam num_repeat "
        "norm_adv_by_std_in_grpo config",
    },
    "verl.workers.engine_workers": {
        "TrainingWorker.__init__": "self config",
        "TrainingWorker.set_loss_fn": "self loss_fn",
        "TrainingWorker.train_batch": "self data",
        "TrainingWorker.save_checkpoint": "self local_path hdfs_path global_step max_ckpt_to_keep",
        "TrainingWorker.load_checkpoint": "self local_path hdfs_path del_local_after_load",
    },
    "verl.workers.utils.losses": {"ppo_loss": "config model_output data dp_group"},
    "verl.checkpoint_engine.base": {"CheckpointEngineManager.update_weights": "self global_steps"},
    "verl.workers.rollout.replica": {"get_rollout_replica_class": "rollout disaggregation_enabled"},
    "verl.workers.rollout.llm_server": {
        "LLMServerManager.__init__": "self config worker_group rollout_resource_pool start_rank load_balancer_cls",
    },
    "verl.workers.rollout.utils": {"run_uvicorn": "app server_args server_address"},
    "verl.workers.rollout.vllm_rollout.vllm_async_server": {
        "vLLMHttpServer.set_global_steps": "self global_steps",
        "vLLMHttpServer.sleep": "self",
        "vLLMHttpServer.release_kv_cache": "self",
        "vLLMHttpServer.launch_server": "self master_address master_port dp_rpc_port",
    },
    "verl.workers.rollout.sglang_rollout.async_sglang_server": {
        "SGLangHttpServer.set_global_steps": "self global_steps",
        "SGLangHttpServer.sleep": "self",
        "SGLangHttpServer.release_kv_cache": "self",
        "SGLangHttpServer.launch_server": "self master_address master_port",
    },
    "verl.trainer.ppo.v1.replay_buffer": {
        "ReplayBuffer.__init__": "self trainer_mode trainer_config max_off_policy_threshold max_off_policy_strategy "
        "sampler_kwargs poll_interval refill_fn filter_groups_metric train_batch_size gen_batch_size "
        "max_inflight_gen_batches sync_refill_failed_groups",
        "ReplayBuffer.sample": "self global_steps partition_id batch_size",
        "ReplayBuffer._sync_metadata_from_transfer_queue": "self",
        "ReplayBufferAsync.get_sampleable_count": "self global_steps partition_id",
        "ReplayBufferAsync.sample": "self global_steps partition_id batch_size",
        "ReplayBufferAsync.wait_for_sampleable": "self global_steps partition_id target_count",
    },
}
"""By module, the parameters of the functions and methods that daro-verl replaces, overrides or relies on."""


def problem_with(verl_version: str) -> str | None:
    """Why ``verl_version`` is not supported, as got / expected / fix; None if it is."""
    if SUPPORTED_VERL.contains(verl_version, prereleases=True):
        return None
    return problem(
        "verl",
        verl_version,
        f"a version in {SUPPORTED_VERL} (the ones daro-verl was tried with)",
        f'pip install --no-deps "verl{SUPPORTED_VERL}", or a daro-verl for your verl; jobs without DARO are unaffected',
    )


def check_signatures(verl_folder: str | Path) -> None:
    """Compare the signatures in verl's source with those that daro-verl was tried with. Nothing is imported.

    Args:
        verl_folder: where verl is installed.

    Raises:
        DaroVerlError: signatures differ. The message has every difference, as got and expected.
    """
    fix, problems = f'pip install --no-deps --force-reinstall "verl{SUPPORTED_VERL}"', []
    for module, names in TRIED.items():
        path = Path(verl_folder).joinpath(*module.split(".")[1:]).with_suffix(".py")
        found = _parameters(path.read_text() if path.is_file() else "", tuple(names))
        for (name, expected), got in zip(names.items(), found, strict=True):
            if got != expected:
                problems.append(problem(f"{module}.{name}", got, expected, fix))
    if problems:
        raise DaroVerlError.of(problems, heading="verl differs from the version that daro-verl was tried with:")


@functools.cache
def _parameters(source: str, names: tuple[str, ...]) -> list[str]:
    """:func:`parameters_of` each name. Parsing is the slow part: verl's modules take a third of a second."""
    tree = ast.parse(source)
    return [parameters_of(tree, name) for name in names]


def parameters_of(tree: ast.Module, name: str) -> str:
    """The names of the parameters of ``name``, which is a function or ``Class.method`` of a module."""
    node: ast.AST = tree
    for part in name.split("."):
        body = getattr(node, "body", [])
        node = next((child for child in body if getattr(child, "name", None) == part), ast.Module([], []))
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return "nothing of this name"
    given = node.args
    names = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return " ".join(argument.arg for argument in names if argument)
