"""ssh that is cut while a stage runs on another machine's engine, which an sshd on loopback plays."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from microstage_chaos.ground import Ground
from microstage_chaos.outcome import Lost
from microstage_chaos.second_machine import SecondMachine
from microstage_runner.engines import engine

__all__ = ["CutLinks"]

_PATIENCE = 90  # seconds after which nothing may run on there: the watchdog's half minute, and a busy machine
_OURS = "microstage-"


@dataclass
class CutLinks:
    """The link is cut at a random instant while a container works: a sentence, nothing published, nothing runs on."""

    alone: bool = True
    name: str = "ssh"
    title: str = "ssh cut while a stage runs on another machine's engine"

    def count(self, ground: Ground) -> int:
        SecondMachine.assert_possible()
        return 2 * len(ground.runs_in("docker"))

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        runs = ground.runs_in("docker")
        run = runs[number % len(runs)]
        done = rng.randrange(len(run.artefacts))
        stage = list(run.artefacts)[done]
        note = run.artefacts[stage].with_name(f"{run.artefacts[stage].name}.run") / "run.json"
        seconds = json.loads(note.read_text())["seconds"]
        with _machine(ground) as there, ground.sandbox(run, done) as box:
            words = (stage, f"HOST={there.url}")
            running = box.start(*words, around=there.around, replayed=False)
            while not _at_work(stage) and not running.wait(0.2):
                pass
            if not running.wait(rng.uniform(0, seconds)):
                there.cut()
            end = running.ended()
            end.assert_told()
            box.assert_whole()
            if end.code and box.artefact(stage).exists():
                raise Lost(f"{stage} was published though its link was cut")
            _assert_idle(stage)
            again = box.make(*words, around=there.around, replayed=False)
            if again.code:
                raise Lost(f"{stage} ended with {again.code} after a cut: {again.err.strip()[-300:]}")
            box.assert_recovers()


@contextmanager
def _machine(ground: Ground) -> Iterator[SecondMachine]:
    machine = SecondMachine(ground.folder / "second")
    try:
        yield machine
    finally:
        machine.stop()


def _at_work(stage: str) -> list[str]:
    """Return the names of the stage's containers that run."""
    words = ("ps", "--format", "{{.Names}}", "--filter", f"name={_OURS}{stage}")
    return engine.require().run(*words).split()


def _assert_idle(stage: str) -> None:
    """Raise `Lost` where a container of the stage runs on for longer than a watchdog waits."""
    end = time.monotonic() + _PATIENCE
    while names := _at_work(stage):
        if time.monotonic() > end:
            raise Lost(f"{names[0]} runs on, {_PATIENCE} s after its link was cut")
        time.sleep(1)
