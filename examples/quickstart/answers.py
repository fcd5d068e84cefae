"""The held-out answers that verl dumps at each validation: pass rates with standard errors, and a few to read."""

from pathlib import Path

import pandas as pd

ALL = "all"


def read_answers(folder: Path, step: int, sources: dict[str, str]) -> pd.DataFrame | None:
    """One row per response: ``level``, ``prompt``, ``response``, ``score``; None if verl did not validate.

    Args:
        folder: verl's ``trainer.validation_data_dir``.
        sources: verl's data source of each level.
    """
    file = folder / f"{step}.jsonl"
    if not file.exists():
        return None
    rows = pd.read_json(file, lines=True, dtype=False)
    level_of = {source: level for level, source in sources.items()}
    columns = {"prompt": rows["input"], "response": rows["output"], "score": rows["score"]}
    return pd.DataFrame({"level": rows["source"].map(level_of), **columns})


def pass_rates(answers: pd.DataFrame) -> pd.DataFrame:
    """Return ``rate`` and ``error`` by level, and for all problems.

    The rate is the mean over a problem's responses, averaged over problems. The error is its standard error, from the
    deviation between problems.
    """
    return _by_level(_by_problem(answers))


def change(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Change of the pass rate, in the form of :func:`pass_rates`. Pairing by problem cancels out difficulty."""
    return _by_level((_by_problem(after) - _by_problem(before)).dropna())


def _by_problem(answers: pd.DataFrame) -> pd.Series:
    return answers.groupby(["level", "prompt"], sort=False)["score"].mean()


def _by_level(problems: pd.Series) -> pd.DataFrame:
    levels = problems.groupby("level", sort=False).agg(rate="mean", error="sem")
    levels.loc[ALL] = [problems.mean(), problems.sem()]
    return levels


def bins(answers: pd.DataFrame) -> list[int]:
    """Number of problems with 0, 1, ... all of their responses right."""
    num_right = answers.groupby(["level", "prompt"], sort=False)["score"].agg(["sum", "size"])
    counts = num_right["sum"].astype(int).value_counts()
    return [int(counts.get(k, 0)) for k in range(int(num_right["size"].max()) + 1)]


def lengths(answers: pd.DataFrame) -> tuple[float, float]:
    """Mean number of characters of right and of wrong answers; NaN if there are none."""
    characters, is_right = answers["response"].str.len(), answers["score"] > 0
    return characters[is_right].mean(), characters[~is_right].mean()


def side_by_side(before: pd.DataFrame, after: pd.DataFrame, number: int = 5) -> list[tuple[str, str, str]]:
    """Prompts with their first response before and after: the first of each level, then the second, and so on."""
    firsts = [answers.drop_duplicates("prompt").set_index("prompt") for answers in (before, after)]
    rows = firsts[0].join(firsts[1]["response"].rename("then"), how="inner")
    turn = rows.groupby("level", sort=False).cumcount()
    rows = rows.iloc[turn.argsort(kind="stable")][:number]
    return [(str(prompt), row.response, row.then) for prompt, row in rows.iterrows()]
