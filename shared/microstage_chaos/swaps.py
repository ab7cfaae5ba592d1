"""Files and folders that were exchanged, moved, added, or turned into something else, behind the runner's back."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from microstage_chaos.fault import run_of
from microstage_chaos.ground import Ground, Sandbox, contents
from microstage_chaos.outcome import Lost
from microstage_runner.artefacts.artefact import MANIFEST

__all__ = ["Swaps"]


@dataclass
class Swaps:
    """Something is done to a published artefact; what is made next says so, or has the right bytes."""

    alone: bool = False
    name: str = "swaps"
    title: str = "files and folders exchanged, moved, added, replaced by links"

    def count(self, ground: Ground) -> int:
        return 100

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        run = run_of(ground, number)
        stages = list(run.artefacts)
        place = rng.randrange(len(stages))
        others = [other.artefacts.get(stages[place]) for other in ground.runs if other is not run]
        strangers = [folder for folder in others if folder] or [run.artefacts[stages[place - 1]]]
        swap = _SWAPS[number // len(ground.runs) % len(_SWAPS)]
        with ground.sandbox(run, place + 1) as box:
            folder, later = box.artefact(stages[place]), stages[place + 1] if place + 1 < len(stages) else ""
            swap(folder, rng.choice(strangers), rng)
            end = box.make(later) if later else box.make("verify", f"STAGE={stages[place]}")
            end.assert_told()
            if end.code == 0 and later:
                box.assert_whole()
                if contents(box.artefact(later)) != contents(run.artefacts[later]):
                    raise Lost(f"{later} was made of something else after {swap.__name__}")
            elif end.code != 2:
                raise Lost(f"{swap.__name__} ended with {end.code}: {end.err.strip()[-300:]}")
            self._as_it_says(box, folder)

    @staticmethod
    def _as_it_says(box: Sandbox, folder: Path) -> None:
        """Remove the folder, as the sentence says, and make it again."""
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder, ignore_errors=True)
        box.before.remove(folder.parent.name)
        box.assert_recovers()


def _two_files(folder: Path, stranger: Path, rng: random.Random) -> None:
    first, second = rng.sample(sorted(_files(folder)), 2) if len(_files(folder)) > 1 else [folder / MANIFEST] * 2
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)


def _a_file_of_another(folder: Path, stranger: Path, rng: random.Random) -> None:
    name = rng.choice(sorted(_files(folder))).relative_to(folder)
    theirs = stranger / name if (stranger / name).is_file() else rng.choice(sorted(_files(stranger)))
    shutil.copyfile(theirs, folder / name)


def _the_whole_folder(folder: Path, stranger: Path, rng: random.Random) -> None:
    shutil.rmtree(folder)
    shutil.copytree(stranger, folder)


def _a_link_to_another(folder: Path, stranger: Path, rng: random.Random) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(stranger)


def _the_manifest(folder: Path, stranger: Path, rng: random.Random) -> None:
    shutil.copyfile(stranger / MANIFEST, folder / MANIFEST)


def _one_removed(folder: Path, stranger: Path, rng: random.Random) -> None:
    rng.choice(sorted(_files(folder))).unlink()


def _one_added(folder: Path, stranger: Path, rng: random.Random) -> None:
    (folder / "added.bin").write_bytes(rng.randbytes(8))


def _one_renamed(folder: Path, stranger: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(_files(folder)))
    path.rename(path.with_name("renamed.bin"))


def _a_file_as_folder(folder: Path, stranger: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(_files(folder)))
    path.unlink()
    path.mkdir()


def _a_file_as_a_link(folder: Path, stranger: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(_files(folder)))
    aside = folder.parent.parent / "aside"
    path.rename(aside)
    path.symlink_to(aside)


def _a_file_as_a_lost_link(folder: Path, stranger: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(_files(folder)))
    path.unlink()
    path.symlink_to("/nowhere")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]


_SWAPS: tuple[Callable[[Path, Path, random.Random], None], ...] = (
    _two_files,
    _a_file_of_another,
    _the_whole_folder,
    _a_link_to_another,
    _the_manifest,
    _one_removed,
    _one_added,
    _one_renamed,
    _a_file_as_folder,
    _a_file_as_a_link,
    _a_file_as_a_lost_link,
)
