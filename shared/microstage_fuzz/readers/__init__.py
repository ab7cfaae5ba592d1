"""A module for each target in Python, whose `read(data, folder)` does with a file what the program does with it.

What a file is guarded by (a digest, a checksum) is made to fit as well: a stranger can do that too, and a fuzzer
that cannot would never come past it.
"""

from __future__ import annotations

import importlib

from microstage_fuzz.judging import Reader

__all__ = ["reader_of"]


def reader_of(name: str) -> Reader:
    """Return the reader of the target `name`."""
    read: Reader = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").read
    return read
