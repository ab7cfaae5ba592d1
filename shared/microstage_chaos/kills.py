"""kill -9 at random instants: of runs that replay their stages, and of stages at work."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field

from microstage_chaos.commands import Running
from microstage_chaos.fault import in_containers, named, run_of
from microstage_chaos.ground import Ground, Undisturbed
from microstage_chaos.outcome import Lost

__all__ = ["RandomKills", "WorkingKills"]

_PAUSED = {"CHAOS_PAUSE": "0.2"}  # seconds that each replayed stage takes, so that kills find it at work


@dataclass
class RandomKills:
    """The runner is killed, its stages replayed; one half of the kills takes its whole process group."""

    runner: str = "local"
    alone: bool = False
    _seconds: dict[int, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return named("kills", self.runner)

    @property
    def title(self) -> str:
        return in_containers("kill -9 at a random instant of a run", self.runner)

    def count(self, ground: Ground) -> int:
        return 500 if ground.runs_in(self.runner) and self.runner == "local" else 200

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        run = run_of(ground, number, self.runner)
        done = rng.randrange(len(run.artefacts))
        stages = min(done + rng.randint(1, 2), len(run.artefacts))
        seconds = self._seconds.get(stages - done) or self._measure(ground, run, done, stages)
        with ground.sandbox(run, done, stages) as box:
            _kill_after(box.start(around=_PAUSED), rng.uniform(0.05, seconds), rng.random() < 0.5)
            box.assert_recovers()

    def _measure(self, ground: Ground, run: Undisturbed, done: int, stages: int) -> float:
        with ground.sandbox(run, done, stages) as box:
            began = time.monotonic()
            box.make(around=_PAUSED).assert_done()
            return self._seconds.setdefault(stages - done, time.monotonic() - began)


@dataclass
class WorkingKills:
    """The runner is killed while one stage computes; the stage goes on, or begins anew, and gives the same bytes."""

    runner: str = "local"
    alone: bool = True

    @property
    def name(self) -> str:
        return named("working", self.runner)

    @property
    def title(self) -> str:
        return in_containers("kill -9 while a stage computes", self.runner)

    def count(self, ground: Ground) -> int:
        return 3 * len(ground.runs_in(self.runner))

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        run = run_of(ground, number, self.runner)
        done = rng.randrange(len(run.artefacts))
        stage = list(run.artefacts)[done]
        note = run.artefacts[stage].with_name(f"{run.artefacts[stage].name}.run") / "run.json"
        seconds = json.loads(note.read_text())["seconds"]
        with ground.sandbox(run, done) as box:
            _kill_after(box.start(stage, replayed=False), rng.uniform(0.3, seconds + 1), rng.random() < 0.5)
            box.assert_whole()
            done_again = box.make(stage, replayed=False)
            if done_again.code:
                raise Lost(f"{stage} ended with {done_again.code} after a kill: {done_again.err.strip()[-300:]}")
            box.assert_recovers()


def _kill_after(running: Running, seconds: float, group: bool) -> None:
    """Kill a runner, or its process group, unless it ends before; wait until none of it is left."""
    if not running.wait(seconds):
        running.kill(group)
    running.ended()
