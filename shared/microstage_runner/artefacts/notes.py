"""JSON files that the runner keeps beside artefacts: nothing hangs on them but time, so none of them stops a command.

One that is cut short, is no JSON, says something else than it should or may not be read is named once and counts as
missing; whoever would have written it writes it anew.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from microstage.files.canonical import write_json
from microstage.untrusted.printable import printable
from microstage_runner.artefacts.places import clear

__all__ = ["DAMAGED", "assert_texts", "facts", "is_place", "leave_out", "read", "write"]

T = TypeVar("T")
DAMAGED = (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
"What reading an unsound note may raise, where `take` asks for all that is used of it."
_named: set[Path] = set()


def read(path: Path, take: Callable[[Any], T]) -> T | None:
    """Return what `take` makes of the JSON in `path`; None if there is no such file, or it is unsound."""
    try:
        return take(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except DAMAGED:
        leave_out(path)
        return None


def facts(said: Any) -> dict[str, Any]:
    """Return what a run's note says, if times and places in it are in the types that they were written in."""
    known = {name: value for name, value in said.items() if value is not None}
    for name in ("seconds", "started", "began"):
        time.localtime(known.get(name, 0))
    assert_texts(*(value for name, value in known.items() if is_place(name)))
    return known


def is_place(name: str) -> bool:
    """Return whether a note has, under `name`, where files of the user's lay."""
    return name == "data_dir" or name.endswith("_file")


def assert_texts(*values: Any) -> None:
    """Raise `TypeError` unless all are texts."""
    if not all(isinstance(value, str) for value in values):
        raise TypeError


def leave_out(path: Path, why: object = "") -> None:
    """Say once that what is at `path` cannot be used."""
    if path not in _named:
        _named.add(path)
        said = f"left out: {why}" if why else f"{path} cannot be read and is left out."
        print(printable(f"microstage: {said}"), file=sys.stderr, flush=True)


def write(path: Path, value: Any) -> Path:
    """Write `value` to `path`, whatever was there and in the place of its folder; `path`."""
    if not path.parent.is_dir():
        clear(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        clear(path)
    write_json(path, value)
    return path
