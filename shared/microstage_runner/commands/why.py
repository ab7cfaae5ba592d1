"""`make why STAGE=`: say why a stage would run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage_runner.artefacts.store import Store
from microstage_runner.commands.planned import Planned
from microstage_runner.pipeline.lineage import nearest
from microstage_runner.pipeline.step import PublishedStep, Step
from microstage_runner.session import Session

__all__ = ["command", "planned", "why"]


def planned(session: Session) -> list[Planned]:
    """Return no run: nothing is made to tell why."""
    session.stage()
    return []


def command(session: Session) -> None:
    """Print which component of the key of STAGE= changed since it was last published."""
    target = session.stage()
    print(why(list(session.pipeline().steps(target)), target, session.store))


def why(steps: Sequence[Step], target: str, store: Store) -> str:
    """Return one line per changed component of the last of `steps`, the first that is not published."""
    *_, pending = steps
    if isinstance(pending, PublishedStep):
        return f"{target} is done: {pending.artefact.path}"
    name = pending.stage.name
    prefix = "" if name == target else f"{target} waits for {name}. "
    before = nearest(steps, store)
    if before is None:
        return f"{prefix}{name} would run: it has never been published here for this network."
    head = f"{prefix}{name} would run; against {before.key}, the nearest that is published:"
    return "\n".join([head, *_changes(before.about, pending.about)])


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line for each component in which the keys of two steps differ."""
    before, after = _components(old), _components(new)
    return [
        f"  {kind} {name}: {_short(before[kind].get(name))} -> {_short(after[kind].get(name))}"
        for kind in before
        for name in sorted(before[kind].keys() | after[kind].keys())
        if before[kind].get(name) != after[kind].get(name)
    ]


def _components(about: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return {kind: {name: value}} of all that a step's key is made of."""
    recipe = about["recipe"]
    rest = {part: recipe.get(part) for part in ("environment", "python", "libc")}
    return {"parameter": about["parameters"], "input": about["inputs"], "recipe": {**recipe["files"], **rest}}


def _short(value: Any) -> str:
    if value is None:
        return "(none)"
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)
