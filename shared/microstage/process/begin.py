"""`python -m microstage.process.begin MODULE ...`: run a program of ours whose imports, too, end with a sentence.

A library that finds no room for itself under a limit of memory fails while it is imported, before the program says
anything.
"""

from __future__ import annotations

import runpy
import sys
from functools import partial

from microstage.process.ending import ended

__all__ = ["main"]


def main(words: list[str]) -> int:
    """Run a module with the words behind it; return the exit code of what stops it before it ends itself."""
    sys.argv = words
    return ended(words[0].replace("_", " "), partial(_run, words[0]))


def _run(module: str) -> None:
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
