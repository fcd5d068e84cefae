"""The documentation builds without a warning, every link in it leads somewhere, and it needs no network."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import numpy as np
import pytest

from daro_verl.config import DaroConfig
from daro_verl.prompts.accounting import Accounting
from daro_verl.workers.metrics import step_metrics
from tests.unit.test_metrics import metrics_of
from website import ROOT, links, messages, options

SOURCES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "examples" / "quickstart" / "README.md"]


class Page(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag in ("a", "img", "link", "script"):
            address = given.get("href", given.get("src", ""))
            (self.links if tag in ("a", "img") else self.loaded).add(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; --strict makes a warning of MkDocs, also of a link or an anchor, an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_link_and_anchor_of_the_site_leads_somewhere(pages):
    assert len(pages) > 40
    broken = []
    for path, page in pages.items():
        for link in page.links | page.loaded:
            address, anchor = urldefrag(unquote(link))
            if re.match(r"[a-z]+:", address):
                continue
            target = (path.parent / address).resolve() if address else path
            if not target.is_file() or (anchor and target.suffix == ".html" and anchor not in pages[target].ids):
                broken.append((path.name, link))
    assert broken == []


def test_a_page_loads_nothing_from_the_network(pages):
    remote = {address for page in pages.values() for address in page.loaded if "//" in address}
    assert remote == set()
    assert not any("```mermaid" in source.read_text() for source in SOURCES)  # mermaid would come from a CDN


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_work_in_the_clone(source):
    """What a person reads without the site: README.md and the others, at their place."""
    text = re.sub(r"```.*?```", "", source.read_text(), flags=re.S)
    local = [match[2] for match in links.LINK.finditer(text)]
    assert [link for link in local if not (source.parent / link).exists()] == []


def test_every_option_is_on_its_page_with_its_bounds():
    page = options.text()
    assert options.documented(DaroConfig).keys() == DaroConfig.__dataclass_fields__.keys()
    assert "| `weight_min` | `0.333` (`0.01`) | a number in (0, 1] |" in page


def test_every_metric_of_the_actor_is_explained():
    """The site shows the docstring."""
    logged = metrics_of([1, 0, 0, 0, 1, 1, 1, 0], [2, 4, 4, 6, 1, 2, 3, 8], losses=[0.2, 0.0, -0.1])
    names = {metric.split("/")[1] for metric in logged}
    assert "weight" in names and {name for name in names if name not in (step_metrics.__doc__ or "")} == set()


def test_every_metric_of_the_rollout_is_explained():
    accounting = Accounting()
    accounting.compare(np.array([0.5]), np.array([True]))
    words = {word for metric in accounting.take() for word in metric.removesuffix("_so_far").split("/")}
    assert {word for word in words if word not in (Accounting.__doc__ or "")} == set()


def test_an_error_has_the_words_that_stand_above_it(tmp_path):
    """The first error's fix is not the second's; what is only known later is an ellipsis."""
    code = """
def check(path):
    fix = "write it first"
    if path:
        raise DaroDataError(f"file {path}", got=1, expected="rows", fix=fix)
    fix = "rename it"
    rows = [(path, "a", "b"), (path, "c", "d")]
    raise DaroConfigError.of([problem(name, got, expected, fix) for got, name, expected in rows])
"""
    (tmp_path / "code.py").write_text(code)
    assert messages.messages_of(tmp_path / "code.py") == {
        ("file …", "rows", "write it first"),
        ("a", "b", "rename it"),
        ("c", "d", "rename it"),
    }
