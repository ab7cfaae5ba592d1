"""Completion by the shell, which argcomplete does: the extra `completion` installs it."""

from __future__ import annotations

import argparse

from microstage.errors import EnvironmentProblem

__all__ = ["complete", "show"]

try:
    import argcomplete
except ImportError:
    argcomplete = None


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that asks, and end the process; do nothing without argcomplete."""
    if argcomplete:
        argcomplete.autocomplete(parser, always_complete_options=False)


def show(shell: str) -> int:
    """Print what the shell is to read at its start."""
    if argcomplete is None:
        raise EnvironmentProblem("Completion needs argcomplete: `pip install 'microstage[completion]'` brings it.")
    print(argcomplete.shellcode(["microstage"], shell=shell))
    return 0
