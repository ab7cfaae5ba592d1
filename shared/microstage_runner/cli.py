"""Run one command: `python3 -m microstage_runner COMMAND NAME=VALUE ...`, as the Makefile does, one process each."""

from __future__ import annotations

from pathlib import Path

from microstage_runner.commands.table import COMMANDS, WORDS
from microstage_runner.commands.used import assert_settings_used
from microstage_runner.declarations.checkout import assert_checkout
from microstage_runner.engines import offline
from microstage_runner.process import REPOSITORY, load, process
from microstage_runner.session import Session, assert_target, make_stage, split_words

__all__ = ["main", "run_command"]


def main(arguments: list[str], repository: Path = REPOSITORY) -> int:
    """Return the exit code of one command, whatever ends it."""
    return process(arguments, repository, lambda: run_command(arguments, repository))


def run_command(arguments: list[str], repository: Path = REPOSITORY) -> int:
    """Run one command and return its exit code; raise `MicrostageError` for what it cannot do."""
    name, *words = arguments or ["variables"]
    assert_target(name, repository)
    typed = split_words(words)
    offline.choose(typed.get("VENDOR"))
    assert_settings_used(name, typed)
    command = COMMANDS.get(name)
    if command is not None and command.in_checkout:
        assert_checkout(repository, name)
    if "DRY" in typed and load("commands.dry").asked(typed):
        load("commands.dry").show(name, typed, repository)
        return 0
    if command is not None and command.takes == WORDS:
        return load(f"commands.{command.module}").command(typed, repository) or 0
    session = Session.of(name, repository, typed)
    if command is not None:
        return load(f"commands.{command.module}").command(session) or 0
    make_stage(session, session.require(name))
    return 0
