"""The volume: published artefacts by key, with their manifests, run notes beside them, locks, and what is half done.

    volumes/<stage>/<key>/             manifest.json and the files; never changed once published
    volumes/<stage>/<key>.run/         run.json (times, host), sbom.cdx.json and logs/; outside every digest
    volumes/<stage>/<key>.conflict-1/  a different result under the same key
    volumes/.partial/<stage>-<key>/    out/ and scratch/ of a run that is not finished
    volumes/.locks/<stage>-<key>       held (flock) while the key is being made; the kernel frees it
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microstage.canonical import digest, file_digest, write_json
from microstage.errors import ArtefactError, ConflictError, IntegrityError
from microstage.runner.provenance import statement
from microstage.runner.recipe import key_of
from microstage.stage import REPORT

__all__ = ["MANIFEST", "Artefact", "Store", "foreign"]

MANIFEST = "manifest.json"
_KEY_CHARACTERS = 16


@dataclass(frozen=True)
class Artefact:
    """A published folder and its manifest."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 over {file: SHA-256}; what a later stage's key holds of this artefact."""
        return digest({entry["name"]: entry["digest"]["sha256"] for entry in self.manifest["subject"]})

    @property
    def about(self) -> dict[str, Any]:
        """{"stage", "key", "parameters", "inputs", "recipe", "metrics", "verification"}."""
        return self.manifest["microstage"]

    @property
    def run(self) -> dict[str, Any]:
        """Times and host facts of the run that made it; empty when that note is gone."""
        try:
            return json.loads((self.folder.with_name(self.folder.name + ".run") / "run.json").read_text())
        except (OSError, ValueError):
            return {}

    def check(self) -> int:
        """Hash every file again; the number of files, or `IntegrityError` naming the first that differs."""
        listed = {entry["name"]: entry["digest"]["sha256"] for entry in self.manifest["subject"]}
        found = {p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file()} - {MANIFEST}
        for name in sorted(found ^ set(listed)):
            state = "is missing" if name in listed else "is not in its manifest"
            raise IntegrityError(f"{self.folder / name} {state}; remove the folder {self.folder} and run the stage again.")
        for name, expected in listed.items():
            if file_digest(self.folder / name) != expected:
                raise IntegrityError(f"{self.folder / name} was changed after it was published; remove its folder and run the stage again.")
        return len(listed)


class Store:
    """Artefacts under one volumes folder."""

    def __init__(self, volumes: Path) -> None:
        self.volumes = volumes

    def folder(self, stage: str, key: str) -> Path:
        """Where the artefact of a key is or will be."""
        return self.volumes / stage / key[:_KEY_CHARACTERS]

    def find(self, stage: str, key: str) -> Artefact | None:
        """The published artefact of a key."""
        folder = self.folder(stage, key)
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
        except FileNotFoundError:
            if folder.exists():
                raise ArtefactError(f"{folder} has lost its {MANIFEST}; remove the folder and run the stage again.") from None
            return None
        except ValueError:
            raise ArtefactError(f"{folder / MANIFEST} is not JSON; remove the folder and run the stage again.") from None
        return Artefact(folder, manifest)

    def published(self, stage: str) -> list[Artefact]:
        """Every artefact of a stage, the one that was published last first."""
        manifests = [p for p in self.volumes.glob(f"{stage}/*/{MANIFEST}") if "." not in p.parent.name]
        newest = sorted(manifests, key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [Artefact(path.parent, json.loads(path.read_text())) for path in newest]

    def latest(self, stage: str) -> Artefact | None:
        """The artefact of a stage that was published last, whatever its key."""
        return next(iter(self.published(stage)), None)

    @contextmanager
    def lock(self, stage: str, key: str) -> Iterator[None]:
        """Hold the key; another holder is waited for."""
        locks = self.volumes / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / f"{stage}-{key[:_KEY_CHARACTERS]}").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def workplace(self, stage: str, key: str, fresh: bool) -> tuple[Path, Path]:
        """(out, scratch): out is empty; scratch holds what an earlier, killed run of this key left, unless `fresh`."""
        place = self.volumes / ".partial" / f"{stage}-{key[:_KEY_CHARACTERS]}"
        out, scratch = place / "out", place / "scratch"
        shutil.rmtree(place if fresh else out, ignore_errors=True)
        out.mkdir(parents=True)
        scratch.mkdir(exist_ok=True)
        return out, scratch

    def discard(self, out: Path) -> None:
        """Remove a half-made output; its scratch folder stays, so that the next run of the key resumes."""
        shutil.rmtree(out, ignore_errors=True)

    def take_report(self, out: Path) -> dict[str, Any]:
        """{"metrics", "verification"} as the stage wrote them, taken out of the output into the manifest."""
        report = out / REPORT
        if not report.is_file():
            raise ArtefactError(f"The stage ended well but wrote no {REPORT}; its package must end in `stage_main`.")
        found = json.loads(report.read_text())
        report.unlink()
        return found

    def publish(self, about: dict[str, Any], out: Path, scratch: Path, run: dict[str, Any]) -> Artefact:
        """Give the finished `out` its manifest and its place; `ConflictError` if the key holds other bytes already."""
        stage, key = about["stage"], about["key"]
        manifest = _manifest(about, out)
        write_json(out / MANIFEST, manifest)
        _sync(out)
        target = self.folder(stage, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        published = self.find(stage, key)
        if published and published.digest == Artefact(out, manifest).digest:
            shutil.rmtree(out.parent)
            return published
        if published:
            self._keep_conflict(published, out, target)
        self._keep_notes(target, scratch, run)
        self.describe(Artefact(target, manifest))
        os.rename(out, target)
        _sync_folder(target.parent)
        shutil.rmtree(out.parent)
        return Artefact(target, manifest)

    def adopt(self, stage: str, key: str, folder: Path) -> Artefact:
        """Publish `folder`, an artefact with its manifest that was made elsewhere; it has to lie on the volume, and is moved.

        `IntegrityError` if it is not wholly that of `stage` and `key`, `ConflictError` if the key holds other bytes already.
        """
        found = foreign(folder, stage, key)
        found.check()
        target = self.folder(stage, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.lock(stage, key):
            published = self.find(stage, key)
            if published and published.digest == found.digest:
                shutil.rmtree(folder)
                return published
            if published:
                self._keep_conflict(published, folder, target)
            _sync(folder)
            os.rename(folder, target)
            _sync_folder(target.parent)
        return Artefact(target, found.manifest)

    def describe(self, artefact: Artefact) -> Path:
        """Write the artefact's bill of materials beside it, outside its digest, and return its path."""
        from microstage.runner import sbom

        path = artefact.folder.with_name(f"{artefact.folder.name}.run") / "sbom.cdx.json"
        path.parent.mkdir(exist_ok=True)
        write_json(path, sbom.of_artefact(artefact.manifest))
        return path

    def _keep_notes(self, target: Path, scratch: Path, run: dict[str, Any]) -> None:
        notes = target.with_name(target.name + ".run")
        shutil.rmtree(notes, ignore_errors=True)
        notes.mkdir()
        write_json(notes / "run.json", run)
        if (scratch / "logs").is_dir():
            shutil.move(scratch / "logs", notes / "logs")

    def _keep_conflict(self, published: Artefact, out: Path, target: Path) -> None:
        taken = len(list(target.parent.glob(f"{target.name}.conflict-*")))
        second = target.with_name(f"{target.name}.conflict-{taken + 1}")
        os.rename(out, second)
        old = {e["name"]: e["digest"]["sha256"] for e in published.manifest["subject"]}
        new = {e["name"]: e["digest"]["sha256"] for e in json.loads((second / MANIFEST).read_text())["subject"]}
        name = next(n for n in sorted(old.keys() | new.keys()) if old.get(n) != new.get(n))
        raise ConflictError(f"The same key gave different bytes, first in {name}; both are kept: {target} and {second}.")


def foreign(folder: Path, stage: str, key: str) -> Artefact:
    """An artefact that another machine wrote, its manifest believed only where it agrees with itself."""
    try:
        artefact = Artefact(folder, json.loads((folder / MANIFEST).read_text()))
        about = artefact.about
        recipe = {name: value for name, value in about["recipe"].items() if name != "digest"}
        sound = about["stage"] == stage and about["key"] == key == key_of(about) and about["recipe"]["digest"] == digest(recipe)
        sound = sound and all(isinstance(entry["digest"]["sha256"], str) for entry in artefact.manifest["subject"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise IntegrityError(f"What came is not the artefact of {stage} {key[:_KEY_CHARACTERS]}; nothing was published.")
    return artefact


def _manifest(about: dict[str, Any], out: Path) -> dict[str, Any]:
    files = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.name != MANIFEST)
    recipe, inputs = about["recipe"], about["inputs"]
    subject = [(name, file_digest(out / name)) for name in files]
    internal = {"key": about["key"], "recipe": recipe["digest"]}
    made = statement(subject, f"stage:{about['stage']}", about["parameters"], internal, sorted(inputs.items()))
    return {**made, "microstage": about}


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
