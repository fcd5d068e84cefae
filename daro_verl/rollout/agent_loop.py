"""verl's agent loop worker that knows the pass rate of a prompt as soon as its last response is scored."""

from typing import Any

import transfer_queue as tq
from verl.single_controller.ray.base import _unwrap_ray_remote
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopWorkerTQ

from daro_verl.rollout.source import SourceGroup


class DifficultyAgentLoopWorker(_unwrap_ray_remote(AgentLoopWorkerTQ)):
    """Adds tags to a prompt's trajectories after all of its sessions have ended, before verl calls it finished.

    Validation is left alone.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._groups: dict[str, SourceGroup] = {}

    async def _run_prompt(self, prompt: dict, sampling_params: dict, trajectory: dict, trace: bool = False) -> None:
        if trajectory["validate"]:
            return await super()._run_prompt(prompt, sampling_params, trajectory, trace)
        uid = prompt["uid"]
        num_sessions = prompt.get("__rollout_n__", self.config.actor_rollout_ref.rollout.n)
        self._groups[uid] = SourceGroup(int(num_sessions))
        try:
            await super()._run_prompt(prompt, sampling_params, trajectory, trace)
        finally:
            del self._groups[uid]

    async def _run_agent_loop(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._run_agent_loop(*args, **kwargs)
        finally:
            group = self._groups.get(kwargs["uid"])
            if group is not None and group.settle_one():
                await self._publish(group)

    async def _agent_loop_postprocess(self, output: Any, validate: bool, **kwargs: Any) -> None:
        outputs = output if isinstance(output, list) else [output]
        await super()._agent_loop_postprocess(output, validate, **kwargs)
        group = self._groups.get(kwargs["uid"])
        if group is not None:
            group.add(f"{kwargs['uid']}_{kwargs['session_id']}", outputs)

    async def _publish(self, group: SourceGroup) -> None:
        tags = group.tags(self.config.algorithm.daro.success_threshold)
        if tags:
            await tq.async_kv_batch_put(keys=list(tags), tags=list(tags.values()), partition_id="train")
