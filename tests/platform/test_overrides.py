"""The overrides compose with verl's own configuration and say what the platform needs."""

import pytest

from daro_verl.platform import overrides
from daro_verl.platform.overrides import cpu_overrides


def compose(*args, **kwargs):
    hydra = pytest.importorskip("hydra")
    pytest.importorskip("verl")
    with hydra.initialize_config_module("verl.trainer.config", version_base=None):
        return hydra.compose("ppo_trainer", cpu_overrides(*args, **kwargs))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_megatron_overrides_reach_actor_reference_and_critic(dtype):
    config = compose(engine="megatron", dtype=dtype)
    engines = [config.actor_rollout_ref.actor.megatron, config.actor_rollout_ref.ref.megatron, config.critic.megatron]
    for engine in engines:
        assert engine.vanilla_mbridge and not engine.use_remove_padding and not engine.sequence_parallel
        assert engine.dtype == dtype
        assert engine.override_transformer_config.attention_backend == "unfused"
        assert engine.override_transformer_config.persist_layer_norm is False


def test_fsdp2_overrides_reach_actor_reference_and_critic():
    config = compose(engine="fsdp2")
    assert config.actor_rollout_ref.actor.strategy == config.actor_rollout_ref.ref.strategy == "fsdp2"
    assert config.critic.strategy == "fsdp2"
    for engine in (config.actor_rollout_ref.actor.fsdp_config, config.actor_rollout_ref.ref.fsdp_config):
        assert engine.dtype == engine.mixed_precision.param_dtype == "float32"
    assert config.actor_rollout_ref.model.override_config.attn_implementation == "sdpa"


def test_ray_has_one_device_for_each_training_rank():
    config = compose(num_devices=3, num_cpus=12)
    assert config.trainer.n_gpus_per_node == config.ray_kwargs.ray_init.num_gpus == 3
    assert config.ray_kwargs.ray_init.num_cpus == 12


def test_separate_rollout_servers_have_devices_of_their_own_and_a_way_to_send_weights():
    config = compose(num_devices=2, num_rollout_devices=3)
    assert config.trainer.n_gpus_per_node == 2 and config.ray_kwargs.ray_init.num_gpus == 5
    assert config.rollout == {"nnodes": 1, "n_gpus_per_node": 3}
    rollout = config.actor_rollout_ref.rollout
    assert (rollout.nnodes, rollout.n_gpus_per_node, rollout.checkpoint_engine.backend) == (1, 3, "zmq")
    assert config.actor_rollout_ref.hybrid_engine is False


def test_rollout_dtype_is_separate_from_the_training_dtype():
    config = compose(dtype="bfloat16", rollout_dtype="float32")
    assert config.actor_rollout_ref.rollout.dtype == "float32"
    assert config.actor_rollout_ref.actor.megatron.dtype == "bfloat16"


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_rollout_servers_keep_their_memory_and_need_no_cuda(engine):
    rollout = compose(rollout=engine).actor_rollout_ref.rollout
    assert (rollout.name, rollout.enforce_eager, rollout.free_cache_engine) == (engine, True, False)
    arguments = rollout.engine_kwargs.sglang or {}
    assert arguments.get("device") == ("cpu" if engine == "sglang" else None)
    assert engine == "vllm" or not arguments.enable_memory_saver


WRONG = [{"engine": "fsdp"}, {"dtype": "float16"}, {"rollout_dtype": "half"}, {"rollout": "trtllm"}]


@pytest.mark.parametrize("wrong", WRONG)
def test_unknown_choice_is_refused_with_the_known_ones(wrong):
    (name, got), *_ = wrong.items()
    with pytest.raises(ValueError, match=rf"{name}: got '{got}', expected one of"):
        cpu_overrides(**wrong)


def test_command_prints_the_overrides_one_per_line(capsys):
    overrides.main(["--engine", "fsdp2", "--num-devices", "1"])
    assert capsys.readouterr().out.splitlines() == cpu_overrides(1, engine="fsdp2")
