"""Check that the numbers of a job fit each other (pure). Each problem names a setting, got, expected and fix."""

from daro_verl.errors import problem
from daro_verl.toolkit.models.layout import Layout, check_layout
from daro_verl.toolkit.models.shape import Shape
from daro_verl.toolkit.recipes.setting_rules import KEY
from daro_verl.toolkit.recipes.sizes import Sizes

# The layout check speaks of the options of `daro models check`.
_OPTIONS = {"--rollout-tp": KEY["ROLLOUT_TP"], "--tp": "TP", "--pp": "PP"}


def layout_problems(job: Sizes, shape: Shape) -> tuple[list[str], list[str]]:
    """Compare parallel sizes and lengths with the model, and return errors and remarks."""
    fit = check_layout(shape, Layout(job.tp, job.pp, job.rollout_tp, job.max_prompt, job.max_response))
    return [_in_settings(text) for text in fit.errors], [_in_settings(text) for text in fit.remarks]


def _in_settings(text: str) -> str:
    for option, setting in _OPTIONS.items():
        text = text.replace(option, setting)
    is_lengths = text.startswith("prompt + response")
    return f"{KEY['MAX_PROMPT']}, {KEY['MAX_RESPONSE']}: {text}" if is_lengths else text


def number_problems(job: Sizes) -> list[str]:
    """Compare batches, ranks and token budgets with each other, as verl 0.9.1 divides them."""
    ranks, trained, budget = job.tp * job.pp * job.cp, job.mini_batch * job.rollouts, job.max_tokens * job.cp
    sample = job.max_prompt + job.max_response
    longest = f"at least the longest prompt and response, {job.max_prompt} + {job.max_response} = {sample}"
    mini_batch, response = KEY["MINI_BATCH"], KEY["MAX_RESPONSE"]
    rows = [
        (job.batch % job.mini_batch, KEY["BATCH"], job.batch, f"a multiple of {mini_batch} ({job.mini_batch})",
         f"set {mini_batch} to a divisor of {job.batch}, or "
         f"{KEY['BATCH']}={-(-job.batch // job.mini_batch) * job.mini_batch}"),
        (job.world % ranks, f"TP, PP, {KEY['CP']}", f"{job.tp} x {job.pp} x {job.cp} = {ranks} ranks",
         f"a divisor of NNODES x GPUS = {job.nnodes} x {job.gpus} = {job.world}",
         "make their product smaller, or use more GPUs"),
        (job.gpus % job.rollout_tp, KEY["ROLLOUT_TP"], job.rollout_tp,
         f"a divisor of GPUS ({job.gpus}), so that a server is on one node", f"set {KEY['ROLLOUT_TP']}=1"),
        (not job.world % ranks and trained % job.dp, f"{mini_batch}, {KEY['ROLLOUTS']}",
         f"{job.mini_batch} x {job.rollouts} = {trained} responses",
         f"a multiple of the {job.dp} data-parallel ranks ({job.world} GPUs / TP {job.tp} / PP {job.pp} / CP {job.cp})",
         f"set {mini_batch} to a multiple of {job.dp}"),
        (job.dynamic and budget < sample, KEY["MAX_TOKENS"], f"{job.max_tokens} x CP {job.cp} = {budget}", longest,
         f"set {KEY['MAX_TOKENS']}={-(-sample // job.cp)} or more"),
        (job.max_length < sample, KEY["MAX_LENGTH"], job.max_length, longest, f"set {KEY['MAX_LENGTH']}={sample}"),
        (not 0 < job.rollout_memory < 1, KEY["ROLLOUT_MEMORY"], job.rollout_memory, "a share below 1", "set 0.6"),
        (job.overlong_len is not None and job.overlong_len >= job.max_response, KEY["OVERLONG_LEN"], job.overlong_len,
         f"less than {response} ({job.max_response})", f"set {KEY['OVERLONG_LEN']}={max(1, job.max_response // 2)}"),
        (job.overlong_max not in (None, job.max_response), KEY["OVERLONG_MAX"], job.overlong_max,
         f"{response} ({job.max_response})", f"remove it, or set {KEY['OVERLONG_MAX']}={job.max_response}"),
    ]  # fmt: skip
    return [problem(name, got, expected, fix) for wrong, name, got, expected, fix in rows if wrong]
