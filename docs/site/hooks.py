"""Make the site of what README.md leads to, each file at its place in the repository, so that one link serves both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from posixpath import dirname, join, normpath

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"\]\(([^)#\s]+)")
_OF_THE_THEME = ("docs/site/iframe-worker.js", "docs/site/site.css")
_PAGES = (".md", ".ipynb")


class Page(File):
    """A file of the repository; a notebook is a page as well."""

    def is_documentation_page(self) -> bool:
        """Return whether it is written as HTML."""
        return self.src_uri.endswith(_PAGES)


def on_config(config):
    """List every decision; the site's own pages come from the list in mkdocs.yml."""
    decisions = config.nav[-1]["Working on it"][-1]["Decisions"]
    decisions += sorted(f"docs/adr/{path.name}" for path in REPOSITORY.glob("docs/adr/0*.md"))
    return config


def on_files(files, config):
    """Replace what is in docs/ by what README.md leads to, wherever it lies."""
    of_the_theme = [file for file in files if file.src_dir != config.docs_dir]
    names = [*reached("README.md"), *_OF_THE_THEME]
    own = [Page(name, str(REPOSITORY), config.site_dir, config.use_directory_urls) for name in names]
    return Files([*of_the_theme, *own])


def on_page_read_source(page, config):
    """Return a notebook as Markdown; mkdocs reads every other page itself."""
    if page.file.src_uri.endswith(".ipynb"):
        return as_markdown(json.loads(Path(page.file.abs_src_path).read_text()))
    return None


def reached(first: str) -> list[str]:
    """Return `first` and every file that links lead to from there, over pages; mkdocs names what is not there."""
    found = [first]
    for name in found:  # which grows
        if name.endswith(".md"):
            links = _LINK.findall((REPOSITORY / name).read_text())
            places = [normpath(join(dirname(name), link)) for link in links if "://" not in link]
            found += [place for place in dict.fromkeys(places) if place not in found and (REPOSITORY / place).is_file()]
    return found


def as_markdown(notebook: dict) -> str:
    """Return the cells of a notebook in their order, what each printed behind it."""
    return "\n\n".join(part for cell in notebook["cells"] for part in _parts(cell))


def _parts(cell: dict) -> list[str]:
    """Return a cell's text, or its code and its outputs."""
    source = "".join(cell["source"])
    if cell["cell_type"] != "code":
        return [source]
    return [f"```python\n{source}\n```", *map(_output, cell["outputs"])]


def _output(output: dict) -> str:
    """Return what a cell displayed: HTML where it has some, else its text."""
    data = output.get("data", {})
    if "text/html" in data:
        return "".join(data["text/html"])
    return "```text\n" + "".join(output.get("text") or data.get("text/plain", "")).rstrip() + "\n```"
