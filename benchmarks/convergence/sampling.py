"""Sampling with a cache of keys and values. Rows that have ended are dropped from the work."""

import torch

from benchmarks.convergence.model import Decoder, Layer
from benchmarks.convergence.task import END, MAX_RESPONSE_LENGTH, PAD, PROMPT_LENGTH, SYMBOLS, Checker, Problems

KEEP_ROWS_ABOVE = 0.8  # share of rows still running below which the ended ones are dropped


class _Cache:
    """Keys and values of one layer, [length, n, h, d]: the part filled so far is contiguous."""

    def __init__(self, key: torch.Tensor, value: torch.Tensor, group: int) -> None:
        prompt = torch.stack((key, value)).permute(0, 3, 1, 2, 4).repeat_interleave(group, dim=2)
        _, self.filled, n, h, d = prompt.shape
        self.both = prompt.new_empty(2, PROMPT_LENGTH + MAX_RESPONSE_LENGTH, n, h, d)
        self.both[:, : self.filled] = prompt

    def attend(self, layer: Layer, x: torch.Tensor) -> torch.Tensor:
        """One new token per row, x [n, 1, width]: append its key and value, and return attention's [n, h, 1, d]."""
        query, key, value = (part.squeeze(2) for part in layer.project(x))
        self.both[0, self.filled], self.both[1, self.filled] = key, value
        self.filled += 1
        keys, values = self.both[:, : self.filled]
        share = ((keys * query).sum(-1) * query.shape[-1] ** -0.5).softmax(dim=0)
        return (values * share.unsqueeze(-1)).sum(0).unsqueeze(2)

    def keep(self, rows: torch.Tensor) -> None:
        self.both = self.both[:, :, rows]


@torch.no_grad()
def sample(
    model: Decoder, problems: Problems, group: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw ``group`` responses to each problem at temperature 1.

    Args:
        group: ``G``.
        generator: a row's draws depend on its place in the batch and on the position alone, so that two models see the
            same noise.

    Returns:
        responses [n * G, R] int64 tokens with ``PAD`` after the end, and their log-probabilities [n * G, R], 0 there.
    """
    prompts, checker = problems.prompts(), Checker(problems.results().repeat_interleave(group, 0))
    caches = [_Cache(key, value, group) for key, value in model.prefix(prompts)]
    num_rows = len(prompts) * group
    responses = torch.full((num_rows, MAX_RESPONSE_LENGTH), PAD)
    log_probs = torch.zeros(num_rows, MAX_RESPONSE_LENGTH)
    rows, tokens = torch.arange(num_rows), prompts[:, -1].repeat_interleave(group)
    running = torch.ones(num_rows, dtype=torch.bool)
    for position in range(MAX_RESPONSE_LENGTH):
        x = model.embed(tokens.unsqueeze(1), PROMPT_LENGTH - 1 + position)
        for layer, cache in zip(model.layers, caches, strict=True):
            x = layer.finish(x, cache.attend(layer, x))
        log_prob = model.logits(x.squeeze(1)).log_softmax(dim=-1)
        noise = torch.empty(num_rows, len(SYMBOLS)).exponential_(generator=generator)[rows]
        symbols = (log_prob.exp() / noise).argmax(dim=-1)
        tokens = torch.where(running, checker.mark(symbols), PAD)
        responses[rows, position] = tokens
        log_probs[rows, position] = torch.where(running, log_prob.gather(1, symbols.unsqueeze(1)).squeeze(1), 0.0)
        running = running & (tokens != END)
        num_running = int(running.sum())
        if num_running == 0:
            break
        if num_running < KEEP_ROWS_ABOVE * len(rows):
            rows, tokens = rows[running], tokens[running]
            for part in (checker, *caches):
                part.keep(running)
            running = running[running]
    return responses, log_probs
