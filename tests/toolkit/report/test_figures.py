"""What is in the figures: curves, labels, legends beside the data, colours that can be told apart."""

import pytest

from daro_verl.toolkit.report.figures import lengths, losses, training, validation, weights
from daro_verl.toolkit.report.run_logs import read_run
from daro_verl.toolkit.report.run_sources import parse_sources
from daro_verl.toolkit.report.section import Section, file_stems
from daro_verl.toolkit.report.theme import DARK, LIGHT, THEMES
from tests.toolkit.report.logs import loss, metrics, read, weight, write_json_lines


@pytest.fixture(scope="module")
def runs(logs):
    names = [f"daro-seed{seed}" for seed in (1, 2, 3)] + [f"grpo-seed{seed}" for seed in (1, 2)]
    return [read_run(source) for source in parse_sources([str(logs / name) for name in names])]


def draw(module, runs, theme=LIGHT, alpha=0.1):
    (section,) = module.sections(runs, alpha)
    return section.draw(theme)


def values(axes, label=None):
    """The y values of all curves, or of those with a label."""
    return [list(line.get_ydata()) for line in axes.lines if label is None or line.get_label() == label]


def test_weights_over_steps_and_over_bins(runs):
    over_steps, over_bins = draw(weights, runs).axes
    assert values(over_steps) == [pytest.approx([weight(k, step) for step in range(1, 13)]) for k in (1, 2, 3)]
    assert values(over_bins, "step 12") == [pytest.approx([weight(k, 12) for k in (1, 2, 3)])]
    assert [tick.get_text() for tick in over_bins.get_xticklabels()] == ["1/4", "2/4", "3/4"]
    assert over_steps.get_xlabel() == "training step" and over_bins.get_xlabel() == "pass rate of the prompt"


@pytest.mark.parametrize(
    ("metric", "column"),
    [("actor/daro/response_share", "share of responses"), ("daro/pass_rate", "share of prompts")],  # today's, earlier
)
def test_the_table_of_weights_has_the_share_of_each_bin_as_it_was_logged(tmp_path, metric, column):
    shares = {f"{metric}/{k}of4": (k + 1) / 15 for k in range(5)}
    rest = {name: value for name, value in metrics(1).items() if "response_share" not in name}
    write_json_lines(tmp_path / "a.jsonl", {1: rest | shares})
    (section,) = weights.sections([read(tmp_path)], alpha=0.1)
    numbers = section.tables[0].data
    assert list(numbers.columns) == ["first", "final", "mean of last 10 %", f"{column}, last 10 %"]
    assert list(numbers[f"{column}, last 10 %"]) == pytest.approx([2 / 15, 3 / 15, 4 / 15])


def test_losses_are_smoothed_as_in_the_paper(runs):
    true, approximation, shares = draw(losses, runs).axes
    first, second = loss(1, 1), loss(1, 2)
    assert values(true)[0][:2] == pytest.approx([first, 0.9 * first + 0.1 * second])
    assert values(approximation)[0][1] == pytest.approx(0.9 * (0.9 * first + 0.1 * second))
    assert len(values(true)[2]) == 6  # bin 3 is only present in odd steps
    assert true.get_ylim() == approximation.get_ylim()
    assert shares.get_ylim() == (0, 1)
    top = max(path.vertices[:, 1].max() for stack in shares.collections for path in stack.get_paths())
    assert top == pytest.approx(1)


def test_lengths_are_bars_side_by_side(runs):
    normalised, mean = draw(lengths, runs).axes
    heights = [bar.get_height() for bar in mean.patches]
    assert heights == pytest.approx([100, 200, 300, 150, 300, 450])
    assert [bar.get_height() for bar in normalised.patches] == pytest.approx([0.1, 0.2, 0.3, 0.05, 0.1, 0.15])
    edges = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in mean.patches)
    assert all(right <= left for (_, right), (left, _) in zip(edges, edges[1:], strict=False))


def test_training_shows_every_run_and_the_mean_of_each_method(runs):
    figure = draw(training, runs)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["entropy", "response length", "training reward"]
    reward = figure.axes[2]
    assert len(reward.lines) == 5 + 2
    assert values(reward, "grpo") == [pytest.approx([0.65] * 12)]  # mean of 0.6 and 0.7


def test_pass_rates_have_a_band_of_one_standard_error(runs):
    validated, scored = draw(validation, runs).axes
    assert values(validated, "daro (3 seeds)") == [pytest.approx([0.42] * 3)]
    (band,) = validated.collections
    heights = band.get_paths()[0].vertices[:, 1]
    error = 0.01 / 3**0.5
    assert (heights.min(), heights.max()) == pytest.approx((0.42 - error, 0.42 + error))
    assert values(scored, "grpo (2 seeds)") == [pytest.approx([0.65] * 12)]


def test_one_seed_has_no_band(runs):
    figure = draw(validation, runs[:1])
    assert [len(axes.collections) for axes in figure.axes] == [0]


@pytest.mark.parametrize("module", [weights, losses, lengths, training, validation])
def test_legends_do_not_cover_the_data(module, runs):
    figure = draw(module, runs, theme=DARK)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    assert box.y0 >= 0 and box.y1 <= figure.bbox.height


def test_many_bins_keep_their_legend_on_the_figure(tmp_path):
    data = {f"actor/daro/weight/{k}of64": 1.0 + k for k in range(1, 64)}
    write_json_lines(tmp_path / "a.jsonl", {step: data for step in range(1, 6)})
    figure = draw(weights, [read(tmp_path)])
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_window_extent().y1 <= figure.bbox.height
    labels = [text.get_text() for text in legend.get_texts()]
    assert "pass rate 63/64" in labels and len(labels) <= 16
    assert figure.axes[0].get_yscale() == "log"


def test_a_single_step_is_seen(tmp_path):
    write_json_lines(tmp_path / "a.jsonl", {5: metrics(5)})
    run = read(tmp_path)
    for module in (weights, losses, training, validation):
        axes = draw(module, [run]).axes[0]
        assert any(line.get_marker() == "o" for line in axes.lines)
        assert axes.get_xlim()[0] < 5 < axes.get_xlim()[1]


def test_figures_leave_the_global_style_alone(runs):
    from matplotlib import rcParams

    before = dict(rcParams)
    draw(weights, runs, theme=DARK)
    assert dict(rcParams) == before


def luminance(colour) -> float:
    from matplotlib.colors import to_rgb

    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other) -> float:
    """WCAG's contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_colours_stand_out(theme):
    assert contrast(theme.ink, theme.background) >= 7
    assert all(contrast(colour, theme.background) >= 3 for colour in (*theme.methods, theme.muted))
    bins = [luminance(colour) for colour in theme.ordered(theme.bins, 7)]
    assert bins == sorted(bins)  # ordered in lightness, so without colour as well
    assert len({tuple(theme.method(index).items()) for index in range(12)}) == 12


def test_names_of_files_are_plain_and_differ():
    sections = [Section(1, "weights", "", "", method=method) for method in ("A/b c", "a.b c", "a b c", "Ü")]
    assert file_stems(sections) == ["fig1-weights-a_b_c", "fig1-weights-a.b_c", "fig1-weights-a_b_c-2", "fig1-weights"]
