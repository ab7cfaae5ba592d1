"""Describe the kernels that small machines run: a page for each that the network calls, from kernels/small/pages."""

from __future__ import annotations

from pathlib import Path

import microstage_cbackend.kernels.small as small
from microstage_cbackend.writers.emit import WrittenModel

__all__ = ["kernel_pages"]

_PAGES = Path(small.__file__).parent / "pages"


def kernel_pages(program: WrittenModel) -> list[str]:
    """Return the lines of the README; nothing of a network that has no functions for small machines."""
    if not program.small:
        return []
    headers = sorted({header for writer in program.small for header in writer.headers})
    pages = [_PAGES / header.replace(".h", ".md") for header in headers]
    texts = [(_PAGES / "all.md").read_text(), *(page.read_text() for page in pages if page.is_file())]
    return ["", *"\n".join(texts).replace("{name}", program.model.name).rstrip().split("\n")]
