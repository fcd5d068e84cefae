"""Each bridge to SGLang, with the obstacle that it removes; see ``test_bridges.py``.

Left out where SGLang is not installed (``tests/conftest.py``); ``make test-sglang`` runs it.
"""

import json

import pytest

from tests.platform.processes import run


@pytest.fixture(scope="module")
def found() -> dict:
    output = run(["-m", "tests.platform.sglang_obstacles"], timeout=300)
    return json.loads(next(line for line in output.splitlines() if line.startswith("{")))


def test_sglang_still_imports_torchvision_whatever_the_model(found):
    assert found["import"] == {
        "before": "ModuleNotFoundError: No module named 'torchvision'",
        "after": "sglang.srt.utils.common",
    }


def test_transformers_still_takes_whatever_can_be_imported_for_torchvision(found):
    assert found["torchvision"] == {"before": [True, None], "after": [False, "N/A"]}


def test_sglang_still_registers_image_processors_whatever_the_model(found):
    assert "AutoImageProcessor requires the Torchvision library" in found["image_processors"]["before"]
    assert found["image_processors"]["after"] == "sglang.srt.configs"


def test_sglang_still_imports_cuda_kernels_for_its_host_memory(found):
    """The stand-in is installed with the one for torchvision; ``test_stand_ins.py`` shows that it refuses calls."""
    assert found["kernels"] == "sglang.srt.mem_cache.memory_pool_host"


def test_sglang_still_pins_memory_for_prompt_log_probs(found):
    assert found["prompt_log_probs"]["before"].startswith("RuntimeError")
    assert found["prompt_log_probs"]["after"] == [0.5, 1.0, 1.0]


def test_sglang_still_has_seeds_of_requests_with_attention_on_gpus_only(found):
    assert found["seeded"] == {"before": False, "after": True}


def test_sglang_still_multiplies_and_draws_with_triton_where_requests_have_seeds(found):
    assert isinstance(found["products"]["before"], str) and found["products"]["after"] == [[2.0]]
    assert isinstance(found["drawn"]["before"], str)
    shares, repeats, ignores_position = found["drawn"]["after"]
    assert shares == pytest.approx([10, 20, 70], abs=1.3)  # 4 standard deviations of 70 %: 4 * 100 * sqrt(0.21 / 20000)
    assert repeats and not ignores_position


def test_sglangs_processes_are_started_with_the_bridges(found):
    assert found["targets"] == {
        "before": ["ModuleNotFoundError: No module named 'torchvision'"] * 3,
        "after": [
            "daro_verl.platform.sglang_bridges sglang.srt.managers.scheduler run_scheduler_process",
            "daro_verl.platform.sglang_bridges sglang.srt.managers.detokenizer_manager run_detokenizer_process",
            "daro_verl.platform.sglang_bridges sglang.srt.managers.data_parallel_controller "
            "run_data_parallel_controller_process",
        ],
    }


def test_torch_still_shares_tensors_among_related_processes_only(found):
    assert "AuthenticationError" in found["shared"]["by_files"]


def test_sharing_by_name_still_fails_where_torchs_helper_takes_more_than_a_second(found):
    """Which is why the bridge does not choose it: it works in a test, and ends a long job."""
    assert "Shared memory manager connection has timed out" in found["shared"]["by_name"]


def test_sglang_still_cannot_send_tensors_of_the_cpu(found):
    assert found["sent_tensor"]["before"].startswith("IndexError")


def test_a_tensor_is_sent_by_value_and_without_what_it_is_a_view_of(found):
    sent = found["sent_tensor"]["after"]
    assert sent["received"] == "[1.0, 2.0, 3.0]" and sent["same"]
    assert sent["bytes"] < 2000  # the storage has 4,000,000
