"""Show each obstacle of SGLang's, cross its bridge, and show that it is gone; see ``obstacles.py``.

Needs ``VERL_PLATFORM=cpu`` and SGLang. The order is that of SGLang's own imports.
"""

import base64
import importlib
import json
import pickle
import subprocess
import sys
from types import SimpleNamespace

import psutil
import torch
import verl  # noqa: F401  (verl before its plugins)
from verl.plugin.platform import PlatformRegistry

from daro_verl.platform import sglang_bridges, stand_ins
from daro_verl.platform.cpu_platform import PlatformCPU
from tests.platform.obstacles import across, outcome

RECEIVE_TARGET = (
    "import base64, pickle, sys\n"
    "target = pickle.loads(base64.b64decode(sys.argv[1]))\n"
    "import sglang.srt.utils.common as common\n"
    "print(common.MultiprocessingSerializer.serialize.__module__, target.module, target.function)\n"
)
IMPORT = "import sglang.srt.utils.common as common; print(common.__name__)"
RECEIVE = (
    "import base64, sys\n"
    "from daro_verl.platform import bridges\n"
    "bridges.set_hooks()\n"
    "from sglang.srt.utils import MultiprocessingSerializer\n"
    "print(MultiprocessingSerializer.deserialize(base64.b64decode(sys.argv[1])).tolist())\n"
)


def in_new_process(code: str, *arguments: str) -> str:
    """The last line that ``code`` prints, or of its traceback."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    return (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()[-1]


def imported(module: str) -> str:
    return importlib.import_module(module).__name__


def image_processors() -> dict:
    """SGLang's configurations register them when they are imported."""
    before = outcome(imported, "sglang.srt.configs")
    sglang_bridges.register_no_image_processors(sys.modules["sglang.srt.configs.utils"])
    return {"before": before, "after": outcome(imported, "sglang.srt.configs")}


def prompt_log_probs(logits_processor) -> list:
    """Temperatures of the tokens of two prompts, of which SGLang makes the metadata of their log-probabilities."""
    metadata = SimpleNamespace(
        extend_logprob_pruned_lens_cpu=[1, 2],
        temp_scaled_logprobs=True,
        temperature=torch.tensor([0.5, 1.0]),
        top_p_normalized_logprobs=False,
    )
    logits_processor.LogitsProcessor._expand_metadata_for_logprobs(None, metadata, torch.device("cpu"))
    return metadata.temperature.flatten().tolist()


def seeded(server_args) -> bool:
    """Whether requests may have seeds of their own with PyTorch's attention."""
    return "torch_native" in server_args.DETERMINISTIC_ATTENTION_BACKEND_CHOICES


def products(batch_invariant_ops) -> list:
    """A product in the mode in which a response does not depend on its batch."""
    batch_invariant_ops.enable_batch_invariant_mode()
    try:
        return torch.mm(torch.ones(1, 2), torch.ones(2, 1)).tolist()
    finally:
        batch_invariant_ops.disable_batch_invariant_mode()


def drawn(sampler) -> list:
    """20,000 draws from 0.1, 0.2, 0.7 at as many seeds: their shares, in per cent; and whether they repeat."""
    log_probs, seeds = torch.tensor([0.1, 0.2, 0.7]).log().expand(20000, 3), torch.arange(20000)
    first, again, later = (sampler.multinomial_with_seed(log_probs, seeds, at + 0 * seeds) for at in (7, 7, 8))
    shares = (torch.bincount(first.flatten(), minlength=3) / 200).tolist()
    return [shares, torch.equal(first, again), torch.equal(first, later)]


def targets(engine) -> list:
    """What a new process makes of the targets of SGLang's processes, when it imports SGLang after them."""
    functions = [engine.run_scheduler_process, engine.Engine.run_detokenizer_process_func]
    functions.append(engine.run_data_parallel_controller_process)
    return [in_new_process(RECEIVE_TARGET, base64.b64encode(pickle.dumps(function)).decode()) for function in functions]


def sent_tensor(common) -> dict:
    """A view of much more, once verl's sync has changed torch: what an unrelated process makes of it, and its size."""
    from sglang.srt.utils.patch_torch import monkey_patch_torch_reductions

    monkey_patch_torch_reductions()
    view = torch.arange(1e6)[1:4]
    message = common.MultiprocessingSerializer.serialize(view)
    as_text = common.MultiprocessingSerializer.serialize(view, output_str=True)
    receive = common.MultiprocessingSerializer.deserialize
    return {
        "received": in_new_process(RECEIVE, as_text),
        "bytes": len(message),
        "same": all(torch.equal(receive(sent), view) for sent in (message, base64.b64decode(as_text))),
    }


def shared_tensor(common) -> str:
    """What an unrelated process makes of a tensor that torch shares by open files, its own way."""
    return in_new_process(RECEIVE, common.MultiprocessingSerializer.serialize(torch.arange(3.0), output_str=True))


def shared_by_name_on_a_busy_machine(common) -> int:
    """torch's other way, through a process that is stopped for a moment, as a busy machine stops it."""
    strategy = torch.multiprocessing.get_sharing_strategy()
    torch.multiprocessing.set_sharing_strategy("file_system")
    kept = torch.ones(1).share_memory_()  # starts the process
    helpers = [child for child in psutil.Process().children() if "torch_shm_manager" in child.name()]
    try:
        for helper in helpers:
            helper.suspend()
        return len(common.MultiprocessingSerializer.serialize(kept + 1)) * len(helpers)
    finally:
        for helper in helpers:
            helper.resume()
        torch.multiprocessing.set_sharing_strategy(strategy)


def sglang_obstacles() -> dict:
    found = {"import": {"before": in_new_process(IMPORT)}}  # a package that failed to import cannot be tried again
    stand_ins.install()
    found["import"]["after"] = outcome(imported, "sglang.srt.utils.common")
    common = sys.modules["sglang.srt.utils.common"]
    return found | {
        "torchvision": across("transformers.utils.import_utils", lambda m: m._is_package_available("torchvision")),
        "image_processors": image_processors(),
        "prompt_log_probs": across("sglang.srt.layers.logits_processor", prompt_log_probs),
        "kernels": imported("sglang.srt.mem_cache.memory_pool_host"),
        "seeded": across("sglang.srt.server_args", seeded),
        "products": across("sglang.srt.batch_invariant_ops", products),
        "drawn": across("sglang.srt.layers.sampler", drawn),
        "targets": across("sglang.srt.entrypoints.engine", targets),
        "shared": {
            "by_files": outcome(shared_tensor, common),
            "by_name": outcome(shared_by_name_on_a_busy_machine, common),
        },
        "sent_tensor": across("sglang.srt.utils.common", sent_tensor),
    }


if __name__ == "__main__":
    PlatformRegistry.register(platform="cpu")(PlatformCPU)
    print(json.dumps(sglang_obstacles()))
