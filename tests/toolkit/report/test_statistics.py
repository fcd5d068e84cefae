"""Smoothing, means over seeds and the numbers of the tables, each with its arithmetic."""

import math

import pandas as pd
import pytest

from daro_verl.toolkit.report.method_curves import per_bin_curves
from daro_verl.toolkit.report.metric_names import TIDY_COLUMNS
from daro_verl.toolkit.report.statistics import (
    average_over_sources,
    centred_mean,
    every_run,
    last_part,
    mean_over_runs,
    moments,
    series,
    smooth,
)
from tests.toolkit.report.logs import read, write_json_lines


def rows(*values: tuple[str, int, float], quantity: str = "score") -> pd.DataFrame:
    return pd.DataFrame([("m", run, step, quantity, 0, 0, value) for run, step, value in values], columns=TIDY_COLUMNS)


def test_smoothing_has_its_closed_form():
    # a step from 0 to 1 at t = 0: y_t = 1 - (1 - alpha)^t
    got = smooth(pd.Series([0.0, 1, 1, 1, 1]), 0.1)
    assert got.tolist() == pytest.approx([1 - 0.9**t for t in range(5)])


def test_smoothing_passes_over_missing_values_without_forgetting():
    # 1, missing, 2: the last is 0.1 * 2 + 0.9 * 1, as if the missing step were not there
    got = smooth(pd.Series([1.0, math.nan, 2.0]), 0.1)
    assert got.iloc[2] == pytest.approx(1.1)


def test_smoothing_with_one_changes_nothing():
    assert smooth(pd.Series([3.0, -1.0]), 1.0).tolist() == [3.0, -1.0]


def test_centred_mean_does_not_lag():
    # 40 points: a window of 3; the mean of a straight line around a point is the point
    line = pd.Series(range(40), dtype=float)
    got = centred_mean(line)
    assert got.iloc[1:-1].tolist() == line.iloc[1:-1].tolist()
    assert got.iloc[0] == 0.5  # two points at the end


def test_mean_and_standard_error_over_seeds():
    # 1, 2, 6: mean 3, deviation with n - 1 sqrt((4 + 1 + 9) / 2) = sqrt 7, error sqrt(7 / 3)
    (row,) = mean_over_runs(rows(("a", 5, 1), ("b", 5, 2), ("c", 5, 6))).to_dict("records")
    assert (row["step"], row["value"], row["count"]) == (5, 3, 3)
    assert row["error"] == pytest.approx(math.sqrt(7 / 3))


def test_one_seed_has_no_error():
    assert mean_over_runs(rows(("a", 1, 2.0)))["error"].isna().all()


def test_the_mean_ends_with_the_shortest_seed():
    mean = mean_over_runs(rows(("a", 1, 0), ("a", 2, 0), ("a", 3, 0), ("b", 1, 1), ("b", 2, 1)))
    assert mean["step"].tolist() == [1, 2] and mean["value"].tolist() == [0.5, 0.5]


def test_a_curve_over_seeds_has_every_seed_at_every_point():
    # b validates at steps 2 and 4 only
    mean = mean_over_runs(rows(("a", 1, 0), ("a", 2, 0), ("a", 3, 0), ("a", 4, 0), ("b", 2, 1), ("b", 4, 1)))
    assert mean["value"].tolist() == [0, 0.5, 0, 0.5]
    assert every_run(mean)["step"].tolist() == [2, 4]


def test_validation_with_another_number_of_responses_counts_once():
    mean = mean_over_runs(rows(("a", 1, 0.2), ("a", 1, 0.4), ("b", 1, 0.5)))
    assert mean[["value", "count"]].to_numpy().tolist() == [[pytest.approx(0.4), 2]]


def test_the_last_part_is_a_tenth_of_the_steps():
    # steps 0 .. 100: from 90 on, mean of 90 .. 100
    values = pd.Series(range(101), index=range(101), dtype=float)
    assert last_part(values, 0, 100) == 95
    assert math.isnan(last_part(values[:50], 0, 100))


def test_moments_are_the_ends_and_the_quarters_that_were_logged():
    assert moments(pd.Index(range(1, 102))) == [1, 26, 51, 76, 101]
    assert moments(pd.Index([7])) == [7]
    assert moments(pd.Index([1, 2])) == [1, 2]


def test_shares_count_an_absent_bin_as_zero(tmp_path):
    # seed a has bins 1 and 2 with halves, seed b only bin 1: the means are 0.75 and 0.25, not 0.75 and 0.5
    share = "actor/daro/loss_share/{}of4".format
    write_json_lines(tmp_path / "x-seed1/a.jsonl", {1: {share(1): 0.5, share(2): 0.5}})
    write_json_lines(tmp_path / "x-seed2/a.jsonl", {1: {share(1): 1.0}})
    runs = [read(f"x={tmp_path}/x-seed{seed}") for seed in (1, 2)]
    (curves,) = per_bin_curves(runs, ["loss_share"], shares="loss_share")
    assert [series(curves.mean, "loss_share", k).tolist() for k in (1, 2)] == [[0.75], [0.25]]


def test_runs_with_another_number_of_rollouts_are_another_unit(tmp_path):
    write_json_lines(tmp_path / "a.jsonl", {1: {"actor/daro/weight/1of4": 1.0}, 2: {"actor/daro/weight/1of8": 2.0}})
    every_method = per_bin_curves([read(tmp_path)], ["weight"])
    assert [(curves.num_rollouts, curves.mean["value"].tolist()) for curves in every_method] == [(4, [1.0]), (8, [2.0])]


def test_validation_is_compared_on_the_data_sets_that_every_run_has():
    table = pd.concat([rows(("a", 1, 0.2), ("b", 1, 0.4), quantity="x"), rows(("a", 1, 0.8), quantity="y")])
    average, notes = average_over_sources(table)
    assert average.set_index("run")["value"].to_dict() == {"a": 0.2, "b": 0.4}
    assert notes == ["The mean is over x: not every run validated on the others."]


def test_validation_is_the_mean_over_data_sets():
    average, notes = average_over_sources(
        pd.concat([rows(("a", 1, 0.2), quantity="x"), rows(("a", 1, 0.8), quantity="y")])
    )
    assert average["value"].tolist() == [0.5] and notes == []


def test_a_step_without_one_of_the_data_sets_has_no_mean():
    table = pd.concat([rows(("a", 1, 0.2), ("a", 2, 0.2), quantity="x"), rows(("a", 2, 0.8), quantity="y")])
    assert average_over_sources(table)[0]["step"].tolist() == [2]
