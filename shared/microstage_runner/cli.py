"""Run one command: `python3 -m microstage_runner COMMAND NAME=VALUE ...`, as the Makefile does, one process each."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.commands.table import COMMANDS, WORDS
from microstage_runner.commands.used import assert_settings_used
from microstage_runner.declarations.checkout import assert_checkout, load_stages
from microstage_runner.engines import offline
from microstage_runner.process import REPOSITORY, load, process
from microstage_runner.session import Session, make_stage, split_words

__all__ = ["main", "run_command"]


def main(arguments: list[str], repository: Path = REPOSITORY) -> int:
    """Return the exit code of one command, whatever ends it."""
    return process(arguments, repository, lambda: run_command(arguments, repository))


def run_command(arguments: list[str], repository: Path = REPOSITORY) -> int:
    """Run one command and return its exit code; raise `MicrostageError` for what it cannot do."""
    name, *words = arguments or ["variables"]
    typed = split_words(words)
    offline.choose(typed.get("VENDOR"))
    assert_settings_used(name, typed)
    command = COMMANDS.get(name)
    if command is not None and command.in_checkout:
        assert_checkout(repository, name)
    if command is not None and command.takes == WORDS:
        return load(f"commands.{command.module}").command(typed, repository) or 0
    session = Session.of(name, repository, typed)
    if command is not None:
        return load(f"commands.{command.module}").command(session) or 0
    if name not in session.stages:
        raise _unknown(name, session)
    make_stage(session, name)
    return 0


def _unknown(name: str, session: Session) -> ParameterError:
    """Return the error for a command that is neither in the table nor a stage of this session."""
    if name in load_stages(session.repository):
        first = next(iter(session.stages))
        return ParameterError(f"{name} comes before {first}, where a network of one's own begins.")
    near = get_close_matches(name, [*session.stages, *COMMANDS], n=1)
    hint = f"did you mean {near[0]}?" if near else "`make help` lists them."
    return ParameterError(f"{name} is not a target; {hint}")
