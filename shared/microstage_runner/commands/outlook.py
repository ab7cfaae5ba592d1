"""What would become of each step of a planned run: taken as it is or run, why, and how long that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microstage_runner.commands.planned import Planned
from microstage_runner.commands.why import why
from microstage_runner.engines.foreseen import Foreseen
from microstage_runner.pipeline.lineage import nearest
from microstage_runner.pipeline.step import PublishedStep, Step
from microstage_runner.registry import chosen_registry

__all__ = ["Outlook", "outlooks"]

_MOST_SOURCES = 3
"Changed sources that are named one by one."


@dataclass(frozen=True)
class Outlook:
    """One step: whether it `runs`; that in words; what changed; the seconds that the nearest earlier run took."""

    stage: str
    key: str
    runs: bool
    said: str
    changes: Sequence[str] = ()
    seconds: float | None = None


def outlooks(run: Planned) -> list[Outlook]:
    """Return what would become of each step of the run, upstream first."""
    found: list[Outlook] = []
    for number in range(1, len(run.steps) + 1):
        waits_for = next((before.stage for before in reversed(found) if before.runs), "")
        found.append(_outlook(run, run.steps[:number], waits_for))
    return found


def _outlook(run: Planned, steps: Sequence[Step], waits_for: str) -> Outlook:
    """Return the outlook of the last of `steps`."""
    *_, step = steps
    name, key, session = step.stage.name, step.about["key"], run.session
    foreseen = session.foreseen(step.stage)
    reason, changes = _reason(run, steps, waits_for, foreseen)
    if not reason and isinstance(step, PublishedStep):
        return Outlook(name, key, False, f"cached, {step.artefact.path}")
    before = nearest(steps, session.store)
    seconds = before.run.get("seconds") if before else None
    cost = "no earlier run tells how long" if seconds is None else f"about {seconds:.0f} s"
    pulled = f"pulled if {chosen_registry.chosen_name()} has it, else " if chosen_registry.chosen_name() else ""
    lacking = f"; {foreseen.lacking} is made first" if foreseen.lacking else ""
    return Outlook(name, key, True, f"{pulled}{reason} ({cost}){lacking}", changes, seconds)


def _reason(run: Planned, steps: Sequence[Step], waits_for: str, foreseen: Foreseen) -> tuple[str, Sequence[str]]:
    """Return why the last of `steps` would run, "" if it would not, and what changed."""
    *_, step = steps
    name, session = step.stage.name, run.session
    if isinstance(step, PublishedStep):
        if run.forced and name == run.target:
            return "would run again and be compared, as FORCE=1 says", ()
        return ("" if session.is_signed(step) else f"would run again, as {session.store.keys} did not sign it"), ()
    if not foreseen.platform:
        return f"would run, unless {foreseen.lacking} gives a key that is published", ()
    if waits_for:
        return f"would run, behind {waits_for}", ()
    said, *changes = why(steps, name, session.store).splitlines()
    return said.removeprefix(f"{name} ").rstrip(".:"), _shortened(changes, name)


def _shortened(changes: Sequence[str], stage: str) -> Sequence[str]:
    """Return the lines, but for those of many changed sources their number."""
    sources = [line for line in changes if line.split()[0] == "recipe"]
    if len(sources) <= _MOST_SOURCES:
        return changes
    rest = [line for line in changes if line not in sources]
    return [*rest, f"  recipe: {len(sources)} changes; `make why STAGE={stage}` lists them"]
