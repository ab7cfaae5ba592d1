"""Many commands at once on one volume."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from microstage_chaos.ground import Ground, Undisturbed, contents
from microstage_chaos.outcome import Lost, Skipped

__all__ = ["Crowd"]

_COMMANDS, _KEYS = 32, 8


@dataclass
class Crowd:
    """All begin at once: each ends well, every key is made once, and all bytes are right."""

    alone: bool = True
    name: str = "crowd"
    title: str = f"{_COMMANDS} makes at once over {_KEYS} keys, a round"

    def count(self, ground: Ground) -> int:
        if sum(len(run.artefacts) for run in ground.runs) < _KEYS:
            raise Skipped(f"fewer than {_KEYS} stages were recorded")
        return 10

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        keys = _some(ground, rng)
        with ground.sandbox(ground.runs[0]) as box:
            log = box.place / "log"
            log.write_text("")
            started = []
            for place in range(_COMMANDS):
                run, stage = keys[place % len(keys)]
                words = [*run.words(stage), f"VOLUMES={box.volumes}"]
                started.append(ground.start(words, {"CHAOS_LOG": str(log), "CHAOS_PAUSE": "0.1"}))
            ends = [running.ended() for running in started]
            if bad := next((end for end in ends if end.code), None):
                raise Lost(f"one of {_COMMANDS} ended with {bad.code}: {bad.err.strip()[-300:]}")
            made = Counter(log.read_text().split())
            if twice := [key for key, times in made.items() if times > 1]:
                raise Lost(f"{twice[0]} was made {made[twice[0]]} times")
            for run, stage in keys:
                there = run.artefacts[stage]
                if contents(box.volumes / stage / there.name) != contents(there):
                    raise Lost(f"{stage} of {run.family.name} is not that of the undisturbed run")


def _some(ground: Ground, rng: random.Random) -> list[tuple[Undisturbed, str]]:
    """Return the last stages of as few runs as have 8 keys between them, so that commands meet at each."""
    runs = rng.sample(ground.runs, len(ground.runs))
    keys = [(run, stage) for run in runs for stage in run.artefacts]
    return rng.sample(keys[:_KEYS], _KEYS)
