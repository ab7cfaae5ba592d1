"""Entry point of the command `microstage`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from microstage.errors import MicrostageError, ParameterError
from microstage_runner.cli import run_command
from microstage_runner.command_line.parser import COMPLETION, CommandParser, command_parser, typed_words
from microstage_runner.command_line.wording import as_typed_here
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.process import REPOSITORY, load, process

__all__ = ["main"]


def main() -> int:
    """Run the command of this process's arguments and return its exit code."""
    if "_ARGCOMPLETE" in os.environ:
        load("command_line.completion").complete(_parser(os.environ["COMP_LINE"].split()[1:], completing=True))
    return process(sys.argv[1:], REPOSITORY, lambda: _run(sys.argv[1:]))


def _run(arguments: Sequence[str]) -> int:
    with _as_typed_here():
        parser = _parser(arguments)
        first = arguments[0] if arguments else "--help"
        if first not in parser.commands and not first.startswith("-"):
            return run_command([first])  # which says what may be meant
        command, *words = typed_words(parser, arguments or [first])
        if command == COMPLETION:
            return load("command_line.completion").show(arguments[-1])
        if any(word.startswith("PYTHON=") for word in words):
            raise ParameterError("PYTHON= chooses what make runs; microstage runs on the Python that has installed it.")
        return run_command([command, *words])


def _parser(arguments: Sequence[str], completing: bool = False) -> CommandParser:
    return command_parser(load_stages(REPOSITORY), arguments[0] if arguments else None, completing)


@contextmanager
def _as_typed_here() -> Iterator[None]:
    """Name commands in a sentence as they are typed here."""
    try:
        yield
    except MicrostageError as error:
        error.args = (as_typed_here(str(error)), *error.args[1:])
        raise
