"""Faults at system calls, one after another: kill -9, a full disk, a volume that can no longer be written to."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from microstage_chaos.commands import Ended
from microstage_chaos.fault import in_containers, named, run_of
from microstage_chaos.ground import Ground, Undisturbed
from microstage_chaos.outcome import Lost
from microstage_chaos.shim import Entry

__all__ = ["CallKills", "FullDisk", "ReadOnly"]

_SOURCES = "/scratch/sources/"  # a copy of what the stage imports: hundreds of writes of one kind
_ONE_IN = 50


@dataclass
class _AtCalls:
    """A fault at calls that one stage of each family makes; families take turns at the stages."""

    environment: dict[str, str] = field(default_factory=dict)
    runner: str = "local"
    alone: bool = False
    _places: list[tuple[Undisturbed, int, int]] = field(default_factory=list)

    def count(self, ground: Ground) -> int:
        if not self._places:
            for number, run in enumerate(self.runs(ground)):
                done = (len(run.artefacts) - 1 + number) % len(run.artefacts)
                with ground.sandbox(run, done, done + 1) as box:
                    shim = box.watched()
                    box.make(around={**shim.environment(), **self.environment}).assert_done()
                    self._places += [(run, done, call) for call in self.meant(shim.journal)]
        return len(self._places)

    def runs(self, ground: Ground) -> list[Undisturbed]:
        """Return the runs of which one stage each is disturbed."""
        return ground.runs_in(self.runner)

    def meant(self, journal: Sequence[Entry]) -> list[int]:
        """Return the calls of an undisturbed run at which the fault is tried."""
        raise NotImplementedError

    def attempt_at(self, ground: Ground, number: int, does: str) -> None:
        """Try the fault at one call; then all must be as if it had never been."""
        run, done, call = self._places[number % self.count(ground)]
        with ground.sandbox(run, done, done + 1) as box:
            self.assert_end(box.make(around={**box.watched(call, does).environment(), **self.environment}))
            box.assert_recovers()

    def assert_end(self, end: Ended) -> None:
        end.assert_told()


class CallKills(_AtCalls):
    """The runner is killed in front of each call that changes the volume, from the end of the stage on; in containers,
    of one family alone. Of the calls that take away its copy of the sources, one in fifty is enough.
    """

    def __init__(self, runner: str = "local") -> None:
        super().__init__({"CHAOS_ALONE": "1"}, runner)
        self.name = named("calls", runner)
        self.title = in_containers("kill -9 at every system call of publishing", runner)

    def runs(self, ground: Ground) -> list[Undisturbed]:
        return super().runs(ground)[: 1 if self.runner == "docker" else None]

    def meant(self, journal: Sequence[Entry]) -> list[int]:
        made = (entry.call for entry in journal if entry.what == "C" and _SOURCES in entry.paths[0])
        begun = max(made, default=0)  # in a container a stage has no copy
        copies = {entry.call for entry in journal if any(_SOURCES in path for path in entry.paths)}
        calls = sorted({entry.call for entry in journal if entry.call > begun})
        return [call for call in calls if call not in copies or call % _ONE_IN == 0]

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        self.attempt_at(ground, number, "kill")

    def assert_end(self, end: Ended) -> None:
        if end.code not in (0, -9):
            raise Lost(f"it was not killed but ended with {end.code}: {end.err.strip()[-300:]}")


class FullDisk(_AtCalls):
    """From one write on, nothing can be created or written: half of that write is on the disk."""

    name, title = "full", "disk full at every write, of the runner and of the stage"

    def meant(self, journal: Sequence[Entry]) -> list[int]:
        copies = [entry.call for entry in journal if entry.what in "CM" and _SOURCES in entry.paths[0]]
        calls = sorted({entry.call for entry in journal if entry.what in "WCM"})
        return [call for call in calls if not copies[0] < call < copies[-1] or call % _ONE_IN == 0]

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        self.attempt_at(ground, number, "full")


@dataclass
class ReadOnly:
    """From some call on, the volume is read-only; at first, from the beginning, all or nothing being made already."""

    alone: bool = False
    name: str = "read-only"
    title: str = "volume read-only, from the beginning or from some call on"
    _calls: dict[tuple[str, int], int] = field(default_factory=dict)

    def count(self, ground: Ground) -> int:
        return 100

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        run = run_of(ground, number)
        done = rng.randrange(len(run.artefacts) + 1)
        stages = min(done + 1, len(run.artefacts))
        calls = self._calls.get((run.family.name, done)) or self._measure(ground, run, done, stages)
        with ground.sandbox(run, done, stages) as box:
            call = 1 if number < 2 * len(ground.runs) else rng.randint(1, calls)
            box.make(around=box.watched(call, "readonly").environment()).assert_told()
            box.assert_recovers()

    def _measure(self, ground: Ground, run: Undisturbed, done: int, stages: int) -> int:
        with ground.sandbox(run, done, stages) as box:
            shim = box.watched()
            box.make(around=shim.environment()).assert_done()
            return self._calls.setdefault((run.family.name, done), shim.calls)
