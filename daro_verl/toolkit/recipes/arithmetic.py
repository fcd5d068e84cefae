"""Do the numbers of a job fit each other? Pure; each problem names the knob and is got, expected and fix."""

from daro_verl.errors import got_expected_fix
from daro_verl.toolkit.models.layout import Layout, check_layout
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes.job import Job

# The layout check speaks of the options of `python -m daro_verl.toolkit.models check`.
_OPTIONS = {"--rollout-tp": "ROLLOUT_TP", "--tp": "TP", "--pp": "PP"}
_LENGTHS = "prompt + response"


def layout_problems(job: Job, shape: Shape) -> tuple[list[str], list[str]]:
    """Parallel sizes and lengths against the model: errors and remarks."""
    fit = check_layout(shape, Layout(job.tp, job.pp, job.rollout_tp, job.prompt, job.response))
    return [_in_knobs(text) for text in fit.errors], [_in_knobs(text) for text in fit.remarks]


def _in_knobs(text: str) -> str:
    for option, knob in _OPTIONS.items():
        text = text.replace(option, knob)
    return f"MAX_PROMPT, MAX_RESPONSE: {text}" if text.startswith(_LENGTHS) else text


def number_problems(job: Job) -> list[str]:
    """Batches, ranks and token budgets against each other, as verl 0.9.1 divides them."""
    ranks = job.tp * job.pp * job.cp
    sample, trained = job.prompt + job.response, job.mini_batch * job.rollouts
    budget = job.max_tokens * job.cp
    rows = [
        (job.batch % job.mini_batch, "BATCH", job.batch, f"a multiple of MINI_BATCH ({job.mini_batch})",
         f"set MINI_BATCH to a divisor of {job.batch}, or BATCH={-(-job.batch // job.mini_batch) * job.mini_batch}"),
        (job.world % ranks, "TP, PP, CP", f"{job.tp} x {job.pp} x {job.cp} = {ranks} ranks",
         f"a divisor of NNODES x GPUS = {job.nnodes} x {job.gpus_per_node} = {job.world}",
         "make their product smaller, or use more GPUs"),
        (job.gpus_per_node % job.rollout_tp, "ROLLOUT_TP", job.rollout_tp,
         f"a divisor of GPUS ({job.gpus_per_node}), so that a server is on one node", "set ROLLOUT_TP=1"),
        (not job.world % ranks and trained % job.dp, "MINI_BATCH, ROLLOUTS",
         f"{job.mini_batch} x {job.rollouts} = {trained} responses",
         f"a multiple of the {job.dp} data-parallel ranks ({job.world} GPUs / TP {job.tp} / PP {job.pp} / CP {job.cp})",
         f"set MINI_BATCH to a multiple of {job.dp}"),
        (job.dynamic and budget < sample, "MAX_TOKENS", f"{job.max_tokens} x CP {job.cp} = {budget}",
         f"at least the longest sample, MAX_PROMPT + MAX_RESPONSE = {job.prompt} + {job.response} = {sample}",
         f"set MAX_TOKENS={-(-sample // job.cp)} or more"),
        (job.max_model_len < sample, "actor_rollout_ref.rollout.max_model_len", job.max_model_len,
         f"at least MAX_PROMPT + MAX_RESPONSE = {sample}", "set the lengths by their knobs, not by arguments"),
        (not 0 < job.rollout_memory < 1, "ROLLOUT_MEMORY", job.rollout_memory, "a share below 1", "set 0.6"),
    ]  # fmt: skip
    return [got_expected_fix(name, got, expected, fix) for wrong, name, got, expected, fix in rows if wrong] + (
        _overlong_problems(job)
    )


def _overlong_problems(job: Job) -> list[str]:
    if job.overlong is None:
        return []
    length, longest = job.overlong
    rows = [
        (length >= job.response, "OVERLONG_LEN", length, f"less than MAX_RESPONSE ({job.response})",
         f"set OVERLONG_LEN={max(1, job.response // 2)}"),
        (longest != job.response, "reward.reward_kwargs.max_resp_len", longest, f"MAX_RESPONSE ({job.response})",
         "set the length by its knob, not by an argument"),
    ]  # fmt: skip
    return [got_expected_fix(name, got, expected, fix) for wrong, name, got, expected, fix in rows if wrong]
