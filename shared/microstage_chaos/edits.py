"""Files that are edited while a stage runs: its sources, its lock, its inputs, the user's own; some are put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from microstage_chaos.fault import run_of
from microstage_chaos.ground import Ground, Sandbox
from microstage_chaos.outcome import Lost

__all__ = ["Edits"]


@dataclass
class Edits:
    """A file gets one more byte while the stage runs: nothing may come of the run. Tries share the sources."""

    alone: bool = True
    name: str = "edits"
    title: str = "a source or an input edited while the stage runs"

    def count(self, ground: Ground) -> int:
        return 100

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        run = run_of(ground, number)
        done = rng.randrange(len(run.artefacts))
        stage = list(run.artefacts)[done]
        with ground.sandbox(run, done) as box:
            path = rng.choice(list(_used(box, stage)))
            held = path.read_bytes()
            back = {"CHAOS_BACK": "1"} if rng.random() < 0.5 else {}
            try:
                end = box.make(stage, around={"CHAOS_EDIT": str(path), **back})
            finally:
                path.write_bytes(held)
            if end.code != 2 or f"{path} was changed while {stage} ran" not in end.err:
                raise Lost(f"an edit of {path.name} was not told of: exit {end.code}, {end.err.strip()[-300:]}")
            if box.artefact(stage).exists():
                raise Lost(f"{stage} was published though {path.name} was edited")
            box.assert_recovers()


def _used(box: Sandbox, stage: str) -> Iterator[Path]:
    """Yield files that a run of the stage depends on."""
    checkout = box.ground.checkout
    yield checkout / "stages" / stage / "requirements.lock"
    yield checkout / "shared" / "microstage" / "stage.py"
    yield from sorted((checkout / "stages" / stage / f"microstage_{stage}").rglob("*.py"))[:5]
    if box.before:
        yield from sorted(path for path in box.artefact(box.before[-1]).rglob("*") if path.suffix in (".onnx", ".npz"))
    elif box.run.family.file:
        yield Path(box.run.typed["ONNX"])
