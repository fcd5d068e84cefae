# Copyright 2026 Bytedance Ltd. and/or its affiliates
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""The learned weights of DARO (https://arxiv.org/abs/2510.09001), see docs/algo/daro.md."""

import logging
import math
import os
from typing import Any, Callable

import torch
from tensordict import TensorDict

from verl.trainer.config import DaroConfig
from verl.utils.device import get_device_id

logger = logging.getLogger(__name__)


class DifficultyWeights(torch.nn.Module):
    """Weights of the difficulty bins, learned along with the model by minimizing ``sum_k [w_k * L_k - nu_k * ln w_k]``.

    Bin ``k`` holds the responses of the prompts with pass rate ``k / G``, where ``G`` is ``num_rollouts``, and ``L_k``
    is the token mean of their policy loss over a mini-batch. Prompts that no or all responses solve (``k = 0, G``)
    teach nothing and have no weight. The weights are float64 on the CPU and the same on all ranks.
    """

    def __init__(self, config: DaroConfig, num_rollouts: int):
        super().__init__()
        self.config, self.num_rollouts = config, num_rollouts
        pass_rate = torch.arange(1, num_rollouts, dtype=torch.float64) / num_rollouts
        zeros, self.lean = torch.zeros_like(pass_rate), config.form == "lean"
        self.start = pass_rate**-0.5 if self.lean else torch.ones_like(pass_rate)
        self.nu = pass_rate**0.5 * (1 - pass_rate) if self.lean else torch.ones_like(pass_rate)
        # One parameter per bin: Adam leaves a parameter without gradient, and its state, alone.
        self.log_weights = torch.nn.ParameterList(torch.nn.Parameter(value) for value in self.start.log())
        self.register_buffer("loss_ema", zeros)
        self.register_buffer("num_updates", zeros.clone())
        self.optimizer = torch.optim.Adam(self.parameters(), lr=config.weight_lr)

    def weights(self) -> torch.Tensor:
        """The weights ``w_k``, shape (G - 1,)."""
        return torch.stack(list(self.log_weights)).detach().exp()

    def begin_step(self, data: TensorDict, engine: Any):
        """Add the bin of each response to a mini-batch, and count the tokens of each bin over all ranks."""
        pass_rate = (_padded(data["returns"]) - _padded(data["advantages"])).amax(dim=-1)
        # A group that lost responses may have a pass rate nearer to 0 or 1 than 1 / G.
        inside = torch.round(pass_rate * self.num_rollouts).clamp(1, self.num_rollouts - 1)
        bins = torch.where((pass_rate > 0) & (pass_rate < 1), inside, pass_rate * self.num_rollouts)
        data["daro_bin"] = bins.long()
        num_tokens = _padded(data["response_mask"]).sum(dim=-1).double()
        tokens = num_tokens.new_zeros(self.num_rollouts + 1).index_add_(0, data["daro_bin"], num_tokens)
        self.tokens = _sum_over_ranks(tokens, engine)
        weights, tokens = self.weights(), self.tokens[1:-1]
        scale = weights / (self.tokens.sum() if self.lean else tokens)  # read where present only
        scale = torch.nn.functional.pad(scale, (1, 1))
        self.scale, self.loss_sums = scale.to(get_device_id()), torch.zeros_like(scale, device=get_device_id())

    def loss(self, loss_fn: Callable, model_output=None, data: TensorDict = None, dp_group=None, **logits) -> Any:
        """``loss_fn`` of a micro-batch with scaled advantages. In distillation it is also called with ``logits``.

        Token losses are proportional to the advantage. So the sum of those of a bin is the derivative of the loss for
        the scale of the bin, whatever ``loss_fn`` computes. It is found without a pass through the model.
        """
        if logits:
            return loss_fn(data=data, **logits)
        num_tokens = data["batch_num_tokens"]  # what loss_fn divides by
        scale = (self.scale * num_tokens).requires_grad_()
        data, advantages = data.copy(), _padded(data["advantages"])
        data["advantages"] = advantages * scale[data["daro_bin"]].to(advantages.dtype).unsqueeze(-1)
        loss, metrics = loss_fn(model_output=model_output, data=data, dp_group=dp_group)
        (by_bin,) = torch.autograd.grad(loss, scale, retain_graph=True)
        self.loss_sums += by_bin * num_tokens / data["dp_size"]
        return loss, metrics

    def end_step(self, output: dict, engine: Any):
        """Move the weights, unless the gradient of the model is not finite, and add metrics to the engine's output."""
        is_source = engine.is_mp_src_rank_with_outputs()
        message = self.loss_sums.clone()
        message[0] = is_source and not math.isfinite(output["metrics"]["grad_norm"])
        message = _sum_over_ranks(message, engine)
        losses, present = message[1:-1] / self.tokens[1:-1].clamp(min=1), self.tokens[1:-1] > 0
        for k in present.nonzero().flatten().tolist() if is_source else []:
            output["metrics"][f"daro/weight/{k + 1}of{self.num_rollouts}"] = [self.log_weights[k].exp().item()]
            output["metrics"][f"daro/loss/{k + 1}of{self.num_rollouts}"] = [losses[k].item()]
        if message[0] == 0:
            self.update(losses, present & losses.isfinite())

    @torch.no_grad()
    def update(self, losses: torch.Tensor, present: torch.Tensor):
        """One step of Adam in ``ln w_k``, where the gradient is ``w_k * L_k - nu_k``, in units of ``nu_k``."""
        decay = self.config.loss_ema_decay
        self.num_updates += present
        rate = (1 - decay) / (1 - decay**self.num_updates)  # without a bias, whatever the decay before a resume
        self.loss_ema = torch.where(present, self.loss_ema + rate * (losses - self.loss_ema), self.loss_ema)
        for k, log_weight in enumerate(self.log_weights):
            log_weight.grad = log_weight.exp() * self.loss_ema[k] / self.nu[k] - 1 if present[k] else None
        self.optimizer.step()
        for log_weight, start in zip(self.log_weights, self.start, strict=True):
            log_weight.clamp_((self.config.weight_min * start).log(), (self.config.weight_max * start).log())

    def save_checkpoint(self, local_path: str):
        """Write the state beside the model's, on rank 0."""
        if torch.distributed.get_rank() == 0:
            os.makedirs(local_path, exist_ok=True)
            state = {"weights": self.state_dict(), "optimizer": self.optimizer.state_dict()}
            path = os.path.join(local_path, "daro.pt")
            torch.save(state, f"{path}.tmp")
            os.replace(f"{path}.tmp", path)

    def load_checkpoint(self, local_path: str):
        """Go on from what rank 0 wrote, if the checkpoint is of a run with DARO."""
        path, message = os.path.join(local_path, "daro.pt"), [None]
        if torch.distributed.get_rank() == 0 and os.path.exists(path):
            try:
                message = [torch.load(path, weights_only=True)]
            except Exception as error:  # else the other ranks wait for this one
                message = [f"{path} cannot be read: {error}"]
        torch.distributed.broadcast_object_list(message, src=0)
        if isinstance(message[0], str):
            raise RuntimeError(message[0])
        if message[0] is None:
            logger.warning("%s not found: DARO's weights start anew", path)
            return
        self.load_state_dict(message[0]["weights"])
        self.optimizer.load_state_dict(message[0]["optimizer"])
        self.optimizer.param_groups[0]["lr"] = self.config.weight_lr


def _padded(values: torch.Tensor) -> torch.Tensor:
    return values.to_padded_tensor(0) if values.is_nested else values


def _sum_over_ranks(values: torch.Tensor, engine: Any) -> torch.Tensor:
    """The sum over data-parallel ranks, on the CPU of every rank. Their model-parallel peers add zeros."""
    values = (values if engine.is_mp_src_rank_with_outputs() else torch.zeros_like(values)).to(get_device_id())
    torch.distributed.all_reduce(values)
    return values.cpu()
