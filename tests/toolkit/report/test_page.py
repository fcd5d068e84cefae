"""The page and the files, as a browser and a reader without one take them."""

import base64
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from daro_verl.cli import main
from daro_verl.toolkit.report.page import number
from tests.toolkit.report.conftest import HOSTILE
from tests.toolkit.report.logs import loss, metrics, weight, write_json_lines

VOID = {"meta", "img", "source", "br", "hr", "link"}


class Page(HTMLParser):
    """Elements with their attributes, and the text of each section's tables."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.section = ""
        self.tables: dict[str, list[list[str]]] = {}
        self.words: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = attributes["id"]
        if tag == "tr":
            self.tables.setdefault(self.section, []).append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        self.words[self.section] = self.words.get(self.section, "") + data
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[self.section][-1].append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(report) -> str:
    return (report / "report.html").read_text()


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


FIGURES = ["fig1-weights-daro", "fig2-losses-daro", "fig3-lengths-daro", "fig4-training", "fig5-pass_rates"]


def test_every_figure_is_a_png_and_an_svg_in_both_modes(report):
    names = {f"{stem}{end}" for stem in FIGURES for end in (".png", ".svg", "-dark.svg")}
    assert {file.name for file in report.iterdir()} == names | {"report.html"}
    for stem in FIGURES:
        assert (report / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
        assert ElementTree.parse(report / f"{stem}.svg").getroot().tag.endswith("svg")


def test_nothing_is_loaded_from_elsewhere(page, text):
    for tag, attributes in page.elements:
        for name in ("src", "srcset", "href", "data", "action"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/svg+xml;base64,")), f"{tag} {name}={value[:80]}"
    assert not page.all("script") and not page.all("link")
    assert "url(" not in text and "@import" not in text


def test_pictures_are_whole_and_differ_between_the_modes(page):
    lights = [image["src"] for image in page.all("img")]
    darks = [source["srcset"] for source in page.all("source")]
    assert len(lights) == len(darks) == len(FIGURES)
    assert all(source["media"] == "(prefers-color-scheme: dark)" for source in page.all("source"))
    for light, dark in zip(lights, darks, strict=True):
        pictures = [base64.b64decode(uri.partition(",")[2]) for uri in (light, dark)]
        assert [colour in picture for picture in pictures for colour in (b"#ffffff", b"#0d1117")] == [
            True, False, False, True,
        ]  # fmt: skip
        for picture in pictures:
            links = re.findall(rb'href="([^"]*)"', picture)
            assert links and all(link.startswith(b"#") for link in links)


def test_the_page_itself_follows_the_mode(page, text):
    assert "color-scheme: light dark" in text and "@media (prefers-color-scheme: dark) { :root {" in text
    variables = set(re.findall(r"var\((--\w+)\)", text))
    for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL):
        assert variables <= set(re.findall(r"(--\w+):", block))


def test_every_picture_has_a_text_with_numbers(page):
    assert all(re.search(r"\d", image["alt"]) and len(image["alt"]) > 40 for image in page.all("img"))


@pytest.mark.parametrize("stem", FIGURES)
def test_every_figure_has_a_table(page, stem):
    assert len(page.tables[stem]) > 1


def test_tables_hold_the_numbers_that_were_logged(page):
    # weights: at step 1, at step 12, and the mean over the last tenth of steps 1 .. 12: from 10.9 on
    late = (weight(2, 11) + weight(2, 12)) / 2
    row = ["2/4", number(weight(2, 1)), number(weight(2, 12)), number(late), "0.2"]
    assert row in page.tables["fig1-weights-daro"]
    # bin 3 was last present in step 11
    (row,) = [row for row in page.tables["fig2-losses-daro"] if row[0] == "3/4"]
    assert row[1] == number(loss(3, 11))
    # three seeds: 0.41, 0.42, 0.43; standard error 0.01 / sqrt 3
    (row,) = [row for row in page.tables["fig5-pass_rates"] if row[0].startswith("daro")]
    assert row[1:6] == ["3", "0.42", "0.42", number(0.01 / 3**0.5), "12"]


def test_what_is_missing_is_said_with_the_option_that_logs_it(page):
    assert "Not logged by grpo-seed1, grpo-seed2, idle: actor/daro/weight/{k}of{G}" in " ".join(
        page.words["fig1-weights-daro"].split()
    )
    assert "algorithm.adv_estimator=daro" in page.words["fig1-weights-daro"]
    assert "trainer.test_freq" in page.words["fig5-pass_rates"]


def test_seeds_and_bands_are_said(page):
    words = page.words["fig5-pass_rates"]
    assert "one standard error over seeds: daro (3 seeds)" in words
    assert "mean over 3 seeds" in page.words["fig1-weights-daro"]


def test_runs_warnings_and_files_are_listed_without_folders(page, text, logs):
    words = page.words["runs"]
    assert "daro-seed2: logs/a.jsonl: last line ignored" in words
    assert "idle: no log in it" in words
    assert ["daro-seed1", "daro", "1", "12", "12", "2", "JSON lines, TensorBoard"] in page.tables["runs"]
    assert str(logs) not in text and str(logs.parent) not in text


def test_what_comes_from_files_is_escaped(page, text):
    assert HOSTILE not in text
    assert HOSTILE.replace("<", "&lt;").replace(">", "&gt;") in text
    assert HOSTILE in page.words["fig5-pass_rates"]


def test_a_figure_that_cannot_be_drawn_says_why(tmp_path, capsys):
    write_json_lines(tmp_path / "grpo/a.jsonl", {1: {"actor/entropy": 0.5}})
    assert main(["report", str(tmp_path / "grpo"), "--out", str(tmp_path / "out")]) == 0
    page = Page((tmp_path / "out/report.html").read_text())
    assert len(page.all("img")) == 1
    for stem, metric in (("fig1-weights", "weight"), ("fig2-losses", "loss_share"), ("fig3-lengths", "length_right")):
        assert "Not drawn" in page.words[stem] and f"actor/daro/{metric}/" in page.words[stem]
        assert "algorithm.adv_estimator=daro +algorithm.daro.metrics=all" in page.words[stem]
    assert "Not drawn" in page.words["fig5-pass_rates"] and "critic/score/mean" in page.words["fig5-pass_rates"]
    assert capsys.readouterr().out.strip().endswith("report.html")


NOTHING = {"empty": "", "bad": "garbage\n", "other": '{"step": 1, "data": {"perf/mfu": 1}}\n'}


@pytest.mark.parametrize("content", NOTHING.values(), ids=NOTHING.keys())
def test_nothing_to_draw_is_exit_code_2_with_the_reason(tmp_path, capsys, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/a.jsonl").write_text(content)
    assert main(["report", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert "got 'no metric to draw (run: 1 files" in message and "trainer.logger=" in message
    assert not (tmp_path / "out").exists()


def test_a_missing_run_is_exit_code_2(tmp_path, capsys):
    assert main(["report", str(tmp_path / "no"), "--out", str(tmp_path / "out")]) == 2
    assert "expected an existing directory or log file. Fix:" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_exit_code_2(tmp_path, capsys):
    write_json_lines(tmp_path / "a.jsonl", {1: metrics(1)})
    assert main(["report", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "a.jsonl")]) == 2
    assert "--out: got" in capsys.readouterr().err


@pytest.mark.parametrize("alpha", ["0", "1.1", "x", "nan"])
def test_smoothing_out_of_its_bounds_is_refused(alpha, capsys):
    assert main(["report", "x", "--smoothing", alpha]) == 2
    assert "expected a number in (0, 1]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.123456, "0.1235"), (3.0, "3"), (float("nan"), "–"), (1e-7, "1e-07"), (123456.7, "123457"), ("a", "a")],
)
def test_numbers_are_short(value, shown):
    assert number(value) == shown
