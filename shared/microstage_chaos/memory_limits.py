"""Stages that may not take as much memory as they need."""

from __future__ import annotations

import random
from dataclasses import dataclass

from microstage_chaos.fault import in_containers, named, run_of
from microstage_chaos.ground import Ground
from microstage_chaos.outcome import Lost

__all__ = ["MemoryLimits"]


@dataclass
class MemoryLimits:
    """A stage at work under MEMORY=: it ends with a sentence, or well, and never in between."""

    runner: str = "local"
    alone: bool = True

    @property
    def name(self) -> str:
        return named("memory", self.runner)

    @property
    def title(self) -> str:
        return in_containers("a stage at work under a MEMORY= of 64 to 400 MiB", self.runner)

    def count(self, ground: Ground) -> int:
        return 3 * len(ground.runs_in(self.runner))

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        run = run_of(ground, number, self.runner)
        done = rng.randrange(len(run.artefacts))
        stage = list(run.artefacts)[done]
        with ground.sandbox(run, done) as box:
            end = box.make(stage, f"MEMORY={rng.randint(64, 400)}m", replayed=False)
            end.assert_told()
            if (end.code == 0) != box.artefact(stage).exists():
                raise Lost(f"{stage} ended with {end.code}: {end.err.strip()[-300:]}")
            box.assert_recovers()
