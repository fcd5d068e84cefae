"""Bad inputs of a job: what each is answered now, and what it was answered before. The source of docs/bad_input.md.

``python -m tests.unit.bad_inputs`` writes that page; ``test_bad_input.py`` runs every row and compares the page.
"""

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "bad_input.md"
ACTOR, ROLLOUT, DARO = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "+algorithm.daro"
LOSS_MODE = f"{ACTOR}.policy_loss.loss_mode"
ADV = "algorithm.adv_estimator"
CORRECTION = "algorithm.rollout_correction"
SAME = "the same"
IGNORED = "accepted and ignored: trains as if it were not there"
STARTS = "accepted; Ray, workers and servers start, and it ends at the first advantage"
NO_SUCH = "refused: there was no such option"
AT_LOSS = "accepted; verl knows no such loss at the first one (read in its source)"


@dataclass(frozen=True)
class Row:
    """One bad input.

    Attributes:
        overrides: what the user adds to a job that is right.
        words: part of the answer, as it is.
        before: what an earlier commit (158a89d) did, from running the same rows there.
    """

    overrides: str
    words: str
    before: str = SAME


ROWS = [
    Row(f"{ADV}=DARO", "got 'DARO', expected the name of an estimator, spelled exactly. Fix: did you mean", STARTS),
    Row(f"{ADV}='daro '", "got 'daro ', expected the name of an estimator", STARTS),
    Row(f"{ADV}=daor", "got 'daor', expected the name of an estimator", STARTS),
    Row(f"{ADV}=daro2", "got 'daro2', expected the name of an estimator", STARTS),
    Row("+daro.weighting=paper", "daro: got {'weighting': 'paper'}, expected nothing here", IGNORED),
    Row(
        "+algorithm.weighting=paper",
        "expected nothing here: it has no effect here. Fix: set +algorithm.daro.weighting=",
        IGNORED,
    ),
    Row(
        "+algorithm.Daro.weighting=paper", "algorithm.Daro: got {'weighting': 'paper'}, expected nothing here", IGNORED
    ),
    Row("+actor_rollout_ref.daro.weighting=paper", "actor_rollout_ref.daro: got", IGNORED),
    Row(
        f"+{ACTOR}.weight_lr=0.1",
        f"{ACTOR}.weight_lr: got 0.1, expected nothing here",
        "an error of verl: an unexpected keyword argument, before any worker",
    ),
    Row("+trainer.daro.weighting=paper", "trainer.daro: got {'weighting': 'paper'}, expected nothing here", IGNORED),
    Row(
        f"{ADV}=grpo {DARO}.weight_lr=0.1",
        "got 'grpo', expected daro, because you set its options",
        "a warning, which vLLM's import may hide; trains GRPO",
    ),
    Row("+algorithm.daro=5", "algorithm.daro: got 5, expected options by name"),
    Row(f"{LOSS_MODE}=vanila", "got 'vanila', expected a registered policy loss", AT_LOSS),
    Row(
        f"{LOSS_MODE}=mine",
        "Fix: name the module that registers a loss of your own in VERL_USE_EXTERNAL_MODULES",
        AT_LOSS,
    ),
    Row(f"{LOSS_MODE}=clip_cov", "not this one: it chooses the tokens that it clips by a covariance"),
    Row(f"{LOSS_MODE}=kl_cov", "not this one: it adds a penalty to tokens chosen"),
    Row(f"{LOSS_MODE}=dro", "not this one: it adds a term that does not depend on the advantage"),
    Row(f"{LOSS_MODE}=geo_mean", "not this one: it has one value per response"),
    Row(f"{LOSS_MODE}=sapo", "not this one: it averages over the tokens of each response"),
    Row(f"{LOSS_MODE}=daro", "got 'daro', expected one of verl's losses, which DARO reweights. Fix: leave"),
    Row(
        f"{ACTOR}.policy_loss=gspo",
        "expected the settings of the policy loss. Fix: set",
        "`AttributeError: 'str' object has no attribute 'get'`",
    ),
    Row(f"{ACTOR}.loss_agg_mode=seq-mean-token-mean", "got 'seq-mean-token-mean', expected token-mean; with centred"),
    Row(f"{ACTOR}.loss_agg_mode=seq-mean-token-sum", "got 'seq-mean-token-sum', expected token-mean; DARO normal"),
    Row("model_engine=dp", "actor.strategy: got 'fsdp', expected fsdp2 or megatron", "accepted; FSDP1 was never tried"),
    Row(
        f"{ROLLOUT}.n=four",
        "rollout.n: got 'four', expected at least 2, a whole number",
        "`TypeError: '<' not supported between instances of 'str' and 'int'`",
    ),
    Row(f"{ROLLOUT}.n=null", "rollout.n: got None, expected at least 2, a whole number", "`TypeError`, as above"),
    Row(f"{ROLLOUT}.n=2.5", "rollout.n: got 2.5, expected at least 2, a whole number", "trains with 2"),
    Row(f"{ROLLOUT}.n=1", "rollout.n: got 1, expected at least 2, a whole number"),
    Row(
        f"{ACTOR}.ppo_mini_batch_size=null",
        "ppo_mini_batch_size: got None, expected at least 1",
        "`TypeError: unsupported operand type(s)`",
    ),
    Row(
        "data.max_response_length=1k",
        "max_response_length: got '1k', expected at least 1",
        "`ValueError: invalid literal for int()` of a thousand characters",
    ),
    Row(
        f"{DARO}.weighting=[a,b]", "weighting: got ['a', 'b'], expected one of learned", "`TypeError: unhashable type`"
    ),
    Row(f"{DARO}.weighting=learnt", "weighting: got 'learnt', expected one of learned"),
    Row(f"{DARO}.weighting=my.module.Missing", "(No module named 'my')\", expected one of"),
    Row(f"{DARO}.weighting=dapo", "clip_ratio_high: got 0.2, expected more than clip_ratio_low"),
    Row(f"{DARO}.weight_lr=0", "weight_lr: got 0, expected a number in (0, 1]"),
    Row(f"{DARO}.weight_lr=fast", "weight_lr: got 'fast', expected a finite number"),
    Row(f"{DARO}.weight_lr=nan", "weight_lr: got nan, expected a finite number"),
    Row(f"{DARO}.weight_lr=True", "weight_lr: got True, expected a finite number"),
    Row(f"{DARO}.weight_min=0", "weight_min: got 0, expected a number in (0, 1]"),
    Row(f"{DARO}.weight_max=0.001", "weight_max: got 0.001, expected a number >= 1"),
    Row(f"{DARO}.weight_init=0", "weight_init: got 0, expected a number > 0"),
    Row(f"{DARO}.loss_ema_decay=1", "loss_ema_decay: got 1, expected a number in [0, 1)"),
    Row(f"{DARO}.loss_signal=[1]", "loss_signal: got [1], expected one of batch, average"),
    Row(f"{DARO}.loss_signal=1.5", "loss_signal: got 1.5, expected one of batch, average"),
    Row(f"{DARO}.loss_signal=True", "loss_signal: got True, expected one of batch, average"),
    Row(f"{DARO}.success_threshold=inf", "success_threshold: got inf, expected"),
    Row(f"{DARO}.not_positive=skip", "algorithm.daro: got 'not_positive', expected one of"),
    Row(f"{DARO}.prompts=often", "prompts: got 'often', expected one of uniform, informative, band", NO_SUCH),
    Row(f"{DARO}.prompt_band=[0.9,0.1]", "prompt_band: got (0.9, 0.1), expected [low,high] with 0 <= low", NO_SUCH),
    Row(f"{DARO}.prompts=band data.shuffle=False", "data.shuffle: got False, expected True; the order of the", NO_SUCH),
    Row(f"{DARO}.metrics=many", "metrics: got 'many', expected one of small, all", NO_SUCH),
    Row(f"{DARO}.foo=1", "algorithm.daro: got 'foo', expected one of", "the same words, and a guess of what was meant"),
    Row(f"{DARO}.wieght_lr=0.1", "did you mean +algorithm.daro.weight_lr=...?"),
    Row(
        f"{DARO}.foo=1 {DARO}.weight_lr=0 {DARO}.weight_min=-1",
        "\n- algorithm.daro.weight_min: got -1",
        "only the first of them",
    ),
    Row("algorithm.use_kl_in_reward=True", "use_kl_in_reward: got True, expected False"),
    Row(f"{ACTOR}.checkpoint.async_save=True", "async_save: got True, expected False", "accepted"),
    Row("critic.enable=True", "critic: got 'enabled', expected disabled"),
    Row(f"{ACTOR}.megatron.dynamic_context_parallel=True", "dynamic_context_parallel: got True, expected False"),
    Row(f"{CORRECTION}.bypass_mode=True {CORRECTION}.rollout_rs=token_k1", "got 'token_k1', expected null in bypass"),
    Row(
        f"{LOSS_MODE}=bypass_mode +{ACTOR}.policy_loss.rollout_correction.rollout_rs=token_k1",
        "rollout_rs: got 'token_k1', expected null in bypass mode",
    ),
    Row(
        "algorithm.filter_groups.enable=True algorithm.filter_groups.metric=null",
        "filter_groups.metric: got None, expected the name of a metric",
    ),
]


def split(overrides: str) -> list[str]:
    """The overrides of a row, one by one; those with blanks inside are alone in their row."""
    return [overrides] if "'" in overrides else overrides.split()


HEAD = """# Bad input: when it is noticed, and with which words

Each row is a correct job with one mistake, which is in the first column. The job is refused before Ray starts, so you
lose nothing. The second column shows part of the message. The message names the option, what was got, what is expected,
and the fix. It has no traceback (`HYDRA_FULL_ERROR=1` shows it). If there are several problems, you see all of them at
once. The third column, *before*, shows what the same row did at commit 158a89d; "the same" means the same words, under
a traceback.

`tests/unit/test_bad_input.py` runs all rows and compares this page. `python -m tests.unit.bad_inputs` writes it.

DARO does not check for mistakes in verl's own settings: verl refuses those. In a job without DARO, an estimator that is
not nearly `daro` passes, and so does a name that only DARO knows as an option.

| {n} inputs | words | before |
|---|---|---|
"""

TRAINING = """
## Noticed while it trains

Each row was run once as a whole job: verl's `main_ppo` on a CPU, with one Megatron rank, one vLLM server and a tiny
model.

| input | when | the words | lost |
|---|---|---|---|
| 27 of 32 rewards are NaN | each step | `DARO left out 27 responses whose reward is NaN or infinite, of 8 \
prompts`, and which | those responses; \
before, the line was hidden as soon as vLLM was imported |
| no prompt has both successes and failures | third optimizer step | `Something is wrong at optimizer step 3: nothing \
taught for 3 steps`, and what share was solved every time; at most once an hour | what was trained until then |
| the reward returns None | first step | `reward: got None, expected a number for each response`; before: \
`KeyError: 'rm_scores'` (the new words were seen in a unit test) | the start of the job |
| the reward raises, for every response | first step | verl's: the exception of each response in the log, then \
`Sync replay buffer selected terminal groups with no materializable trajectories` | the start of the job |
| a data source that verl has no reward for | first step | verl's: `Reward function is not implemented for \
data_source='nobody/knows'`, then as above | the start of the job |
| an empty parquet file | when the data is read, before the model | verl's: `Failed to read file ... BatchSize must be \
greater than 0, got 0` | the start of Ray |
| checkpoint of a GRPO job, resumed with DARO | at the load | `No difficulty weights in ...: they start from \
weight_init` | nothing; the model goes on |
| another weighting on resume | at the load | `Difficulty weights saved with weighting=paper go on with \
weighting=learned` | nothing; the weights go on |
| checkpoint of a DARO job, resumed with GRPO | never | none; the file of difficulty weights is not read | nothing |

Two more lines come in the same way as `nothing taught`: all weights at a clamp for 10 optimizer steps, and a bin whose
loss is not positive for 20. A unit test has shown them, no job has. One rank writes the lines to the console, at
`VERL_LOGGING_LEVEL`.
"""


def page() -> str:
    """docs/bad_input.md."""
    return HEAD.replace("{n}", str(len(ROWS))) + "".join(_line(row) for row in ROWS) + TRAINING


def _line(row: Row) -> str:
    words = row.words.strip().lstrip("- ").replace("|", "\\|")
    return f"| `{row.overrides}` | {words} | {row.before} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
