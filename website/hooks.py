"""The hooks of mkdocs.yml: pages that are generated from the code, and files of the clone that pages link to."""

from typing import Any

from mkdocs.structure.files import File, Files

from website import command_line, links, messages, options

GENERATED = {
    "reference/options.md": options.page,
    "reference/command_line.md": command_line.page,
    "reference/messages.md": messages.page,
}


def on_files(files: Files, config: Any) -> Files:
    """The generated pages, README.md as the first page, and what is linked outside of docs/."""
    for uri, page in GENERATED.items():
        files.append(File.generated(config, uri, content=page()))
    for path, uri in links.outside(files).items():
        content = links.page_of(path)
        files.append(File.generated(config, uri, content=content) if content else
                     File.generated(config, uri, abs_src_path=str(path)))  # fmt: skip
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links that leave docs/ point to the page that stands for the file."""
    return links.rewritten(markdown, page.file.src_uri)
