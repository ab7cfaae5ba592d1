"""`make why STAGE=`: say why a stage would run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage_runner.artefacts.store import Store
from microstage_runner.pipeline.lineage import nearest
from microstage_runner.pipeline.step import Step
from microstage_runner.session import Session

__all__ = ["command", "why"]


def command(session: Session) -> None:
    """Print which component of the key of STAGE= changed since it was last published."""
    target = session.stage()
    print(why(list(session.pipeline().steps(target)), target, session.store))


def why(steps: Sequence[Step], target: str, store: Store) -> str:
    """Return one line per changed component of the first key of the pipeline that is not published."""
    pending = next((step for step in steps if step.artefact is None), None)
    if pending is None:
        return f"{target} is done: {steps[-1].artefact.path}"
    name = pending.stage.name
    prefix = "" if name == target else f"{target} waits for {name}. "
    before = nearest(steps, store)
    if before is None:
        return f"{prefix}{name} would run: it has never been published here."
    changes = list(_changes(before.about, pending.about))
    return "\n".join([f"{prefix}{name} would run; against {before.key}, the nearest that is published:", *changes])


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    recipes = [
        {**about["recipe"]["files"], **{part: about["recipe"].get(part) for part in ("environment", "python", "libc")}}
        for about in (old, new)
    ]
    pairs = [
        ("parameter", old["parameters"], new["parameters"]),
        ("input", old["inputs"], new["inputs"]),
        ("recipe", *recipes),
    ]
    return [
        f"  {kind} {name}: {_short(before.get(name))} -> {_short(after.get(name))}"
        for kind, before, after in pairs
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _short(value: Any) -> str:
    if value is None:
        return "(none)"
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)
