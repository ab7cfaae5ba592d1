"""`DRY=1` before any command: what it would run, what is there already, and what it would cost, as a tree.

A command's module says in `planned`, where it has one, which runs the command makes first; it raises for what was typed
wrongly, as the command itself does. Nothing is made: no artefact, no environment, no image, no file of the volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from microstage.errors import ParameterError
from microstage.untrusted.printable import printable
from microstage_runner.commands.outlook import Outlook, outlooks
from microstage_runner.commands.planned import Planned
from microstage_runner.commands.table import COMMANDS, WORDS
from microstage_runner.process import load
from microstage_runner.session import Session

__all__ = ["asked", "show"]


def asked(typed: dict[str, str]) -> bool:
    """Return whether DRY=1 was typed, which is taken out of `typed`; raise `ParameterError` for another value."""
    text = typed.pop("DRY", "0")
    if text not in ("0", "1"):
        raise ParameterError(f"DRY={text} is not allowed: expected 0 or 1.")
    return text == "1"


def show(name: str, typed: dict[str, str], repository: Path) -> None:
    """Print what the command `name` would do."""
    lines = list(_lines(_planned(name, typed, repository)))  # nothing is shown of what is refused
    then = [f"then: {name}"] if name in COMMANDS else []
    print("\n".join(map(printable, [f"dry run of `make {name}`: nothing is made", *lines, *then])))


def _planned(name: str, typed: dict[str, str], repository: Path) -> list[Planned | str]:
    """Return the runs that the command makes first; a sentence for one of which nothing is known before."""
    command = COMMANDS.get(name)
    planned = getattr(load(f"commands.{command.module}"), "planned", None) if command else None
    if command and command.takes == WORDS:
        return planned(typed, repository) if planned else []
    session = Session.of(name, repository, typed)
    if command:
        session.stage(default=session.last_of(name))
        return planned(session) if planned else []
    return [Planned("", session, session.require(name), typed.get("FORCE") == "1")]


@dataclass
class _Count:
    """What the steps of all runs come to; a step that several runs have in common is counted once."""

    seen: set[str] = field(default_factory=set)
    pending: int = 0
    unknown: int = 0
    seconds: float = 0.0

    def add(self, outlook: Outlook) -> bool:
        """Count the step; return whether it is a new one."""
        new = outlook.key not in self.seen
        self.seen.add(outlook.key)
        if new and outlook.runs:
            self.pending += 1
            self.unknown += outlook.seconds is None
            self.seconds += outlook.seconds or 0.0
        return new

    def __str__(self) -> str:
        """The count, in words."""
        known = f", about {self.seconds:.0f} s" if self.pending > self.unknown else ""
        unknown = f"; no earlier run tells how long {self.unknown} of them take" if self.unknown else ""
        return f"total: {self.pending} of {len(self.seen)} steps would run{known}{unknown}"


def _lines(runs: Sequence[Planned | str]) -> Iterator[str]:
    """Yield the tree of every run, then what they come to."""
    count = _Count()
    for run in runs:
        if isinstance(run, str):
            yield run
            continue
        if len(runs) > 1:
            yield run.title
        yield from _tree(outlooks(run), count)
    if count.seen:
        yield str(count)


def _tree(found: Sequence[Outlook], count: _Count) -> Iterator[str]:
    """Yield a line for each step, the last first, what it reads below it; and below each why it would run."""
    new = [count.add(outlook) for outlook in found]
    for depth, (outlook, first) in enumerate(zip(reversed(found), reversed(new))):
        indent = "   " * depth
        branch = indent[3:] + "└─ " if depth else ""
        yield f"{branch}{outlook.stage}: {outlook.said if first else 'as above'}"
        yield from (f"{indent}      {line.strip()}" for line in outlook.changes if first)
