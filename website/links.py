"""Links to files outside of docs/: README.md is the site's first page, every other file has a page below ``files/``.

In the clone the links work as they stand. On the site a Markdown file and a picture are shown as they are, any other
text file as a page of its own, and a folder by its README.md.
"""

import os
import re
from pathlib import Path
from posixpath import relpath

from mkdocs.structure.files import Files

from website import ROOT

DOCS = ROOT / "docs"
FIRST_PAGE = ROOT / "README.md"
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)#\s:]+)(#[^)\s]*)?(\))")
LANGUAGES = {".py": "python", ".sh": "bash", ".yaml": "yaml", ".toml": "toml", ".json": "json"}
AS_IT_IS = (".md", ".png", ".svg")


def uri_of(path: Path) -> str:
    """The site's source name of a file of the clone."""
    if path == FIRST_PAGE:
        return "index.md"
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    name = path.relative_to(ROOT).as_posix()
    return f"files/{name}" if path.suffix in AS_IT_IS else f"files/{name}.md"


def path_of(uri: str) -> Path:
    """The file of the clone that a page is made from."""
    if uri == "index.md":
        return FIRST_PAGE
    return ROOT / uri.removeprefix("files/") if uri.startswith("files/") else DOCS / uri


def targets(markdown: str, path: Path) -> set[Path]:
    """The files of the clone that a Markdown file links to."""
    found = {_target(match[2], path) for match in LINK.finditer(markdown)}
    return {target for target in found if target is not None}


def outside(files: Files) -> dict[Path, str]:
    """What has to be added to the site: README.md, and everything outside of docs/ that can be reached by links."""
    known = {path_of(file.src_uri) for file in files if file.src_uri.startswith("files/") is False}
    waiting, added = [FIRST_PAGE, *(path for path in known if path.suffix == ".md" and path.exists())], {}
    while waiting:
        path = waiting.pop()
        if path not in known:
            added[path] = uri_of(path)
        if path.suffix == ".md":
            waiting += targets(path.read_text(), path) - known - added.keys() - set(waiting)
    return added


def page_of(path: Path) -> str:
    """A text file as a page; empty where the file is shown as it is."""
    if path.suffix in AS_IT_IS:
        return ""
    return f"# {path.relative_to(ROOT)}\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text()}\n````\n"


def rewritten(markdown: str, uri: str) -> str:
    """The page's text with the links of the site."""
    path, folder = path_of(uri), os.path.dirname(uri)

    def link(match: re.Match[str]) -> str:
        target = _target(match[2], path)
        if target is None:
            return match[0]
        return f"{match[1]}{relpath(uri_of(target), folder or '.')}{match[3] or ''}{match[4]}"

    return LINK.sub(link, markdown)


def _target(link: str, path: Path) -> Path | None:
    target = Path(os.path.normpath(path.parent / link))
    target = target / "README.md" if target.is_dir() else target
    return target if target.is_file() and target.is_relative_to(ROOT) else None
