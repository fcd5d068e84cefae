"""Each bridge, with the obstacle that it removes.

A test that begins to fail at ``before`` tells, by its name, which bridge the installed libraries no longer need.
"""

import json

import pytest

from daro_verl import platform
from tests.platform.processes import run

pytestmark = pytest.mark.slow  # two processes that import verl and an engine
NO_CUDA = "AssertionError: Torch not compiled with CUDA enabled"
NO_PINNED_MEMORY = "RuntimeError: Cannot access accelerator device when none is available."


def test_the_table_of_the_package_names_every_module_that_is_patched():
    pytest.importorskip("wrapt")
    from daro_verl.platform.bridges import BRIDGES

    assert [module for module, _ in BRIDGES if module not in platform.__doc__] == []


def obstacles(library: str) -> dict:
    pytest.importorskip("verl")
    output = run(["-m", "tests.platform.obstacles", library], timeout=180)
    return json.loads(next(line for line in output.splitlines() if line.startswith("{")))


@pytest.fixture(scope="module")
def in_training_worker() -> dict:
    pytest.importorskip("megatron.core")
    pytest.importorskip("mbridge")
    return obstacles("megatron")


@pytest.fixture(scope="module")
def in_rollout_server() -> dict:
    pytest.importorskip("vllm")
    return obstacles("vllm")


def test_verl_still_names_the_cpu_twice_in_its_backend_string(in_training_worker):
    found = in_training_worker["backend_string"]
    assert found["before"].startswith("ValueError: Duplicate device type cpu")
    assert found["after"] == [["cpu", "gloo"], ["cuda", "gloo"]]


def test_verl_still_registers_no_fsdp2_or_megatron_engine_for_the_cpu(in_training_worker):
    found = in_training_worker["engines"]
    assert found["before"] == {}
    assert sorted(found["after"]) == [
        "fsdp2 language_model",
        "fsdp2 value_model",
        "megatron language_model",
        "megatron value_model",
    ]


def test_only_megatron_engines_see_stand_ins_for_cuda(in_training_worker):
    engines = in_training_worker["engines"]["after"]
    assert {name for name, bases in engines.items() if "WithoutCuda" in bases} == {
        "megatron language_model",
        "megatron value_model",
    }


def test_mcore_engine_config_still_refuses_float32(in_training_worker):
    found = in_training_worker["float32_config"]
    assert found == {"before": "AssertionError: dtype float32 not supported", "after": "float32"}


def test_torch_without_cuda_still_refuses_the_calls_of_megatron(in_training_worker):
    found = in_training_worker["cuda_calls"]
    assert found["before"] == [NO_CUDA, NO_CUDA, NO_CUDA, "torch.FloatTensor", NO_CUDA, NO_PINNED_MEMORY]
    assert found["after"] == ["cpu", "cpu", "cpu", "torch.cuda.FloatTensor", "cpu", "cpu"]
    assert found["is_available"] is False


def test_a_function_mode_still_covers_its_own_thread_only_so_engines_enter_it_in_each(in_training_worker):
    found = in_training_worker["cuda_calls"]
    assert found["before_in_thread"] == found["before"]
    assert found["after_in_thread"] == found["after"]


def test_megatron_rng_tracker_still_reads_cuda_generators(in_training_worker):
    found = in_training_worker["rng"]
    assert found == {"before": NO_CUDA, "with_stand_ins_only": NO_CUDA, "after": True}


def test_megatron_dot_product_attention_still_cannot_use_verls_padding_mask(in_training_worker):
    found = in_training_worker["attention_mask"]
    assert found["before"].startswith("RuntimeError: The size of tensor")
    assert found["after"] < 1e-6  # float32 against PyTorch's own causal attention


def test_megatron_distributed_optimizer_still_restores_float32_with_gradients_on(in_training_worker):
    found = in_training_worker["float32_restore"]
    assert "leaf Variable that requires grad" in found["before"]
    assert found["after"] == [1.0, 1.0, 0.0, 0.0]  # the first half is this rank's shard


def test_megatron_distributed_optimizer_still_needs_a_step_before_it_loads(in_training_worker):
    assert in_training_worker["fresh_optimizer"]["before"].startswith("AssertionError")


def test_megatron_distributed_optimizer_still_shares_one_step_counter_after_loading(in_training_worker):
    found = in_training_worker["resumed_steps"]
    assert found["before"] == [8.0, 8.0, 8.0]  # 5, and 1 for each of the three parameters
    assert found["after"] == [6.0, 6.0, 6.0]


def test_verl_still_saves_fsdp2_models_without_copying_what_is_on_the_cpu(in_training_worker):
    found = in_training_worker["swapped_model"]
    assert found == {"before": [1.0, 3.0, 3.0], "after": [1.0, 3.0, 1.0]}


def test_verl_still_pins_the_memory_of_a_reference_model_on_fsdp2(in_training_worker):
    found = in_training_worker["reference_model"]
    assert "accelerator" in found["before"] or "CUDA" in found["before"]
    assert found["after"] == 3.0


def test_mbridge_still_asks_for_transformer_engine_layers(in_training_worker):
    found = in_training_worker["layer_spec"]
    assert found["before"].split(":")[0] in ("NameError", "ImportError", "AssertionError")
    assert found["after"] == "WrappedTorchNorm"


@pytest.mark.parametrize("bridge", ["Qwen2Bridge", "LLaMABridge"])
def test_mbridge_still_does_not_know_the_norms_of_local_layers(in_training_worker, bridge):
    found = in_training_worker["norm_names"]
    assert found["before"].startswith("NotImplementedError")
    assert found["after"][bridge] == [
        ["model.layers.3.input_layernorm.weight"],
        ["model.layers.3.post_attention_layernorm.weight"],
        ["model.layers.3.self_attn.o_proj.weight"],
    ]


def test_package_of_vllms_cpu_build_is_still_not_called_vllm(in_rollout_server):
    found = in_rollout_server["package_version"]
    assert found["before"][0].startswith("PackageNotFoundError")
    assert found["after"][0].endswith("+cpu")
    assert found["after"][1:] == found["before"][1:]  # other packages, installed or not, are answered as before


def test_vllm_still_drops_linear_weights_after_loading(in_rollout_server):
    found = in_rollout_server["linear_weights"]
    assert found == {"before": [0, False], "after": [64 * 64, True]}


def test_verl_still_hands_out_views_of_the_shared_memory(in_rollout_server):
    found = in_rollout_server["received_weights"]
    assert found["before"] == "BufferError: cannot close exported pointers exist"
    assert found["after"] == [[0.0, 1.0, 2.0], [1.0, 1.0]]
