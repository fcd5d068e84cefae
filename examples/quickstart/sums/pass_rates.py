"""Measure the warm-started model: pass rates over prompts, and lengths of right and wrong responses."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from examples.quickstart.sums.task import LEVELS, MAX_RESPONSE_LENGTH, Problem, is_right
from examples.quickstart.sums.tokenizer_model import encode_prompt
from examples.quickstart.task import GROUP_SIZE


@torch.no_grad()
def sample_responses(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, problems: Sequence[Problem]
) -> list[str]:
    """``GROUP_SIZE`` responses per problem at temperature 1, one group after the other."""
    prompts = [encode_prompt(tokenizer, problem.prompt) for problem in problems]
    longest = max(map(len, prompts))
    tokens = torch.tensor([[tokenizer.pad_token_id] * (longest - len(prompt)) + prompt for prompt in prompts])
    responses = model.eval().generate(
        input_ids=tokens,
        attention_mask=(tokens != tokenizer.pad_token_id).long(),
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=MAX_RESPONSE_LENGTH,
        num_return_sequences=GROUP_SIZE,
    )[:, longest:]
    return tokenizer.batch_decode(responses, skip_special_tokens=True)


def measure_pass_rates(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, problems: Sequence[Problem]
) -> dict:
    """Return these figures, measured by sampling:

    - ``pass_rate``, and ``pass_rate_of_level`` by level;
    - ``num_prompts_of_bin`` by ``k`` of ``GROUP_SIZE``;
    - ``length_right`` and ``length_wrong``: mean bytes; None if there is no such response."""
    responses = sample_responses(model, tokenizer, problems)
    groups = [responses[i * GROUP_SIZE : (i + 1) * GROUP_SIZE] for i in range(len(problems))]
    num_right, bins = dict.fromkeys(LEVELS, 0), [0] * (GROUP_SIZE + 1)
    lengths: dict[bool, list[int]] = {True: [], False: []}
    for problem, group in zip(problems, groups, strict=True):
        right = [is_right(response, problem.answer) for response in group]
        bins[sum(right)] += 1
        num_right[problem.level] += sum(right)
        for response, is_success in zip(group, right, strict=True):
            lengths[is_success].append(len(response))
    num_problems = {level: sum(problem.level == level for problem in problems) for level in LEVELS}
    return {
        "pass_rate": len(lengths[True]) / len(responses),
        "pass_rate_of_level": {
            str(level): num_right[level] / (GROUP_SIZE * num_problems[level]) for level in LEVELS if num_problems[level]
        },
        "num_prompts_of_bin": bins,
        "length_right": _mean(lengths[True]),
        "length_wrong": _mean(lengths[False]),
    }


def _mean(values: list[int]) -> float | None:
    return sum(values) / len(values) if values else None
