"""Where tries happen: the undisturbed runs, a copy of the checkout, and a fresh volume for each try."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from microstage.errors import MicrostageError, StageFailed
from microstage.files.canonical import file_digest
from microstage.process.progress import progress
from microstage_chaos.commands import Commands, Ended, Running
from microstage_chaos.families import Family
from microstage_chaos.outcome import Lost, Skipped
from microstage_chaos.shim import Shim, compiled
from microstage_runner.artefacts.store import Store
from microstage_runner.declarations.stages import of_role
from microstage_runner.engines import engine
from microstage_runner.session import Session

__all__ = ["Ground", "Sandbox", "Undisturbed", "contents"]

_TRAINING_SECONDS = 4 * 3600.0  # an undisturbed run takes minutes, and a busy machine may have many


@dataclass(frozen=True)
class Undisturbed:
    """The run of a family up to the stage `made`, which nothing disturbed: what was typed, and the artefact's folder of
    every stage in order.
    """

    family: Family
    runner: str
    typed: Mapping[str, str]
    made: str
    artefacts: Mapping[str, Path]

    @property
    def target(self) -> str:
        """The last stage."""
        return list(self.artefacts)[-1]

    def words(self, *asked: str) -> list[str]:
        """Return the words of a command: `asked` are a stage, or another command and its own words."""
        last = self.family.last if self.made in asked or f"STAGE={self.made}" in asked else ()
        return [*asked, *(f"{name}={value}" for name, value in self.typed.items()), *last]

    def first(self, stages: int) -> Undisturbed:
        """Return the run up to the last of so many stages."""
        return replace(self, artefacts=dict(list(self.artefacts.items())[:stages]))


class Ground:
    """All that the tries share, below a scratch `folder`; the undisturbed runs stay in `volumes`/.chaos."""

    def __init__(self, repository: Path, volumes: Path, folder: Path, families: Sequence[Family]) -> None:
        self.volumes, self.folder, self.recorded = volumes, folder, volumes / ".chaos"
        self.checkout, self.given = folder / "checkout", folder / "given"
        for name in ("shared", "stages"):
            shutil.copytree(repository / name, self.checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.shim = compiled(folder)
        self.commands = Commands(self.checkout, self.shim, folder)
        self.given.mkdir()
        for family in families:
            if family.file:
                shutil.copy(repository / family.file, self.given)
        _with_environments(self.recorded, self.volumes)
        self._families = families
        self._runs: dict[str, list[Undisturbed]] = {}
        self.runs = self.runs_in("local")
        self._tries = count(1)

    def runs_in(self, runner: str) -> list[Undisturbed]:
        """Return the undisturbed runs, made where they are not; in containers, `Skipped` where no engine answers."""
        if runner == "docker" and engine.find() is None:
            raise Skipped("no container engine answers")
        if runner not in self._runs:
            families = progress(self._families, len(self._families), f"undisturbed runs ({runner})")
            self._runs[runner] = [self._record(family, runner) for family in families]
        return self._runs[runner]

    def _record(self, family: Family, runner: str) -> Undisturbed:
        """Make the run of a family on a volume of its own, where it is not made yet."""
        typed, place = family.typed(self.given), {"RUNNER": runner, "VOLUMES": str(self.recorded)}
        target = of_role(Session(self.checkout, {**typed, **place}).stages, family.role)
        run = Undisturbed(family, runner, typed, target, {})
        words = [*run.words(target), *(f"{name}={value}" for name, value in place.items())]
        done = self.start(words, replayed=False).ended(_TRAINING_SECONDS)
        if done.code:
            raise StageFailed(f"The undisturbed run of {family.name} failed: {done.err.strip()}", done.code)
        steps = Session(self.checkout, dict(word.split("=", 1) for word in words[1:])).pipeline().run(target)
        return replace(run, artefacts={step.stage.name: step.artefact.path for step in steps})

    @contextmanager
    def sandbox(self, run: Undisturbed, done: int = 0, stages: int | None = None) -> Iterator[Sandbox]:
        """Yield a fresh volume on which the first `done` stages are published, gone afterwards.

        The run on it is that of the first `stages` stages, by default of all.
        """
        place = self.folder / f"try-{next(self._tries)}"
        try:
            yield Sandbox(self, run.first(len(run.artefacts) if stages is None else stages), place, done)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def start(self, words: Sequence[str], around: Mapping[str, str] = {}, replayed: bool = True) -> Running:
        """Start a command of the runner with the variables `around` it, its stages replayed or at work."""
        return self.commands.start(words, {"CHAOS_RECORDED": str(self.recorded), **around}, replayed)

    def close(self) -> None:
        self.commands.close()


class Sandbox:
    """One volume, and the run on it that is disturbed."""

    def __init__(self, ground: Ground, run: Undisturbed, place: Path, done: int) -> None:
        self.ground, self.run, self.place, self.volumes = ground, run, place, place / "volumes"
        _with_environments(self.volumes, ground.volumes)
        self.before = list(run.artefacts)[:done]
        for stage in self.before:
            source = run.artefacts[stage]
            for folder in (source, source.with_name(f"{source.name}.run")):
                shutil.copytree(folder, self.volumes / stage / folder.name)

    def _words(self, target: str = "", *more: str) -> list[str]:
        place = [f"RUNNER={self.run.runner}", f"VOLUMES={self.volumes}"]
        return [*self.run.words(target or self.run.target, *more), *place]

    def start(self, *words: str, around: Mapping[str, str] = {}, replayed: bool = True) -> Running:
        """Start the command of `words`, by default the one that makes the last stage."""
        return self.ground.start(self._words(*words), around, replayed)

    def make(self, *words: str, around: Mapping[str, str] = {}, replayed: bool = True) -> Ended:
        """Return how that command ended."""
        return self.start(*words, around=around, replayed=replayed).ended()

    def watched(self, at: int = 0, does: str = "") -> Shim:
        """Return the shim for a run on this volume."""
        return Shim(self.ground.shim, self.place / "shim", self.volumes, at, does)

    def artefact(self, stage: str) -> Path:
        """Return where the artefact of a stage is, or would be."""
        return self.volumes / stage / self.run.artefacts[stage].name

    def assert_whole(self) -> None:
        """Raise `Lost` for an artefact that is published and not whole, and for one that was there and is not."""
        store = Store(self.volumes, repository=self.ground.checkout)
        for stage, recorded in self.run.artefacts.items():
            try:
                found = store.find(stage, recorded.name)
                if found:
                    found.checked()
            except (MicrostageError, OSError) as error:
                raise Lost(f"half an artefact was published: {error}") from None
            if found is None and stage in self.before:
                raise Lost(f"{stage}, which was published before, is gone")

    def assert_same(self) -> None:
        """Raise `Lost` unless every stage's artefact is, byte by byte, that of the undisturbed run."""
        for stage, recorded in self.run.artefacts.items():
            there, here = contents(recorded), contents(self.artefact(stage))
            if there != here:
                name = next(name for name in sorted(there.keys() | here.keys()) if there.get(name) != here.get(name))
                raise Lost(f"{stage} is not that of the undisturbed run: {name} differs")

    def assert_recovers(self) -> None:
        """Raise `Lost` unless nothing half is published, and one plain call ends with the right bytes."""
        self.assert_whole()
        done = self.make()
        if done.code:
            raise Lost(f"the next plain call ended with {done.code}: {done.err.strip()[-300:]}")
        self.assert_same()


def contents(folder: Path) -> dict[str, str]:
    """Return {file: SHA-256} of all that lies in a folder; empty where there is none."""
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in folder.rglob("*") if path.is_file()}


def _with_environments(volumes: Path, own: Path) -> None:
    """Make a volume that has the environments of another, and what that knows of images."""
    for name in (".env", ".images"):
        link, there = volumes / name, own / name
        for folder in (volumes, there):
            folder.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(there.resolve())
