"""The hooks of mkdocs.yml: tables that are generated from the code, and files of the clone that pages link to."""

import re
from typing import Any

from mkdocs.structure.files import File, Files

from website import command_line, links, messages, options

GENERATED = {"options": options.text, "command line": command_line.text, "messages": messages.text}
"""By the name in ``<!-- generated: NAME -->``, what stands there on the site."""

WIDE_TABLE = re.compile(r"^\|(?:[^|\n]*\|){7}", re.MULTILINE)
"""Seven columns need the room of the table of contents."""


def on_files(files: Files, config: Any) -> Files:
    """README.md is the first page; what is linked outside of docs/ is added."""
    for path, uri in links.outside(files).items():
        content = links.page_of(path)
        source = {"content": content} if content else {"abs_src_path": str(path)}
        files.append(File.generated(config, uri, **source))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in what is generated; links that leave docs/ point to the page that stands for the file."""
    if WIDE_TABLE.search(markdown):
        page.meta["hide"] = ["toc"]
    filled = re.sub("<!-- generated: (.*?) -->", lambda match: GENERATED[match[1]](), markdown)
    return links.rewritten(filled, page.file.src_uri)
