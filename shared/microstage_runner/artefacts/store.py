"""The volume: published artefacts by key, with their manifests, run notes beside them, locks, and what is half done.

volumes/<stage>/<key>/             manifest.json and the files; never changed once published
volumes/<stage>/<key>.run/         run.json (times, host), sbom.cdx.json and logs/; outside every digest
volumes/<stage>/<key>.conflict-1/  a different result under the same key
volumes/.partial/<stage>-<key>/    out/ and scratch/ of a run that is not finished
volumes/.locks/<stage>-<key>       held (flock) while the key is being made; the kernel frees it
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from microstage.errors import ArtefactError, ConflictError, IntegrityError, StageFailed
from microstage.files.canonical import file_digest, write_json
from microstage.process.ending import TRACE
from microstage.stage import REPORT
from microstage_runner.artefacts import notes, sbom
from microstage_runner.artefacts.artefact import ENVELOPE, KEY_CHARACTERS, MANIFEST, Artefact, manifest_of, read
from microstage_runner.artefacts.inputs import all_files
from microstage_runner.artefacts.places import clear, collect, hold
from microstage_runner.artefacts.syncing import make_stage_folder, sync, sync_all
from microstage_runner.process import REPOSITORY, TRACES
from microstage_runner.signing import Keys, carry

__all__ = ["Store", "foreign"]


class Store:
    """Artefacts under one volumes folder, signed and believed by `keys`."""

    def __init__(self, volumes: Path, keys: Keys | None = None, repository: Path = REPOSITORY) -> None:
        self.volumes, self.keys, self.repository = volumes, keys or Keys(volumes), repository

    def folder(self, stage: str, key: str) -> Path:
        """Return where the artefact of a key is or will be."""
        return self.volumes / stage / key[:KEY_CHARACTERS]

    def find(self, stage: str, key: str) -> Artefact | None:
        """Return the published artefact of a key; raise `ArtefactError` if what is in its place is not that."""
        folder = self.folder(stage, key)
        return read(folder, stage, key) if folder.exists() or folder.is_symlink() else None

    def stages(self) -> list[str]:
        """Return the stages that have an artefact here."""
        names = {path.parents[1].name for path in self.volumes.glob(f"*/*/{MANIFEST}")}
        return sorted(name for name in names if name[0] != ".")

    def published(self, stage: str) -> list[Artefact]:
        """Return every artefact of a stage, the last first; a folder that holds none is named and left out."""
        found = []
        for folder in self.volumes.glob(f"{stage}/*"):
            if "." not in folder.name:
                try:
                    found.append((read(folder, stage, folder.name), (folder / MANIFEST).stat().st_mtime_ns))
                except (ArtefactError, OSError) as error:
                    notes.leave_out(folder, error)
        return [artefact for artefact, _ in sorted(found, key=lambda pair: pair[1], reverse=True)]

    def latest(self, stage: str) -> Artefact | None:
        """Return the artefact of a stage that was published last, whatever its key."""
        return next(iter(self.published(stage)), None)

    @contextmanager
    def lock(self, stage: str, key: str) -> Iterator[None]:
        """Hold the key; another holder is waited for."""
        with hold(self.volumes / ".locks" / f"{stage}-{key[:KEY_CHARACTERS]}"):
            yield

    def workplace(self, stage: str, key: str, fresh: bool) -> tuple[Path, Path]:
        """Return (out, scratch): out is empty; scratch holds what an earlier, killed run of this key left, unless
        `fresh`.

        What dead processes left of anything else is collected.
        """
        collect(self.volumes)
        place = self.volumes / ".partial" / f"{stage}-{key[:KEY_CHARACTERS]}"
        out, scratch = place / "out", place / "scratch"
        for path in (place, out, scratch):
            if fresh or path == out or not path.is_dir():
                clear(path)
        out.mkdir(parents=True)
        scratch.mkdir(exist_ok=True)
        return out, scratch

    def discard(self, out: Path) -> None:
        """Remove a half-made output; its scratch folder stays, so that the next run of the key resumes."""
        shutil.rmtree(out, ignore_errors=True)

    def failed(self, name: str, scratch: Path, code: int, said: str) -> StageFailed:
        """Return the error for a stage that ended with `code`; a trace that it left is kept, longer than its scratch
        folder.
        """
        trace, kept = scratch / "logs" / TRACE, self.volumes / TRACES / f"{name}.txt"
        if trace.is_file():
            kept.parent.mkdir(exist_ok=True)
            trace.replace(kept)
            said += f" The trace is in {kept}."
        return StageFailed(said, code)

    def take_report(self, out: Path) -> dict[str, Any]:
        """Return {"metrics", "verification"} as the stage wrote them, taken out of the output into the manifest."""
        report = out / REPORT
        if not report.is_file():
            raise ArtefactError(f"The stage ended well but wrote no {REPORT}; its package must end in `stage_main`.")
        try:
            found = json.loads(report.read_bytes())
            sound = isinstance(found["metrics"], dict) and all(
                type(record["compared"]) is int for record in found["verification"]
            )
        except notes.DAMAGED:
            sound = False
        if not sound:
            raise ArtefactError(
                f"The stage wrote a {REPORT} that cannot be read; its package must end in `stage_main`."
            )
        report.unlink()
        return found

    def publish(self, about: dict[str, Any], out: Path, scratch: Path, run: dict[str, Any]) -> Artefact:
        """Give the finished `out` its manifest and its place; `ConflictError` if the key holds other bytes already."""
        stage, key = about["stage"], about["key"]
        made = Artefact(out, manifest_of(about, _written(out)))
        write_json(out / MANIFEST, made.manifest)
        self.keys.seal(made)
        sync_all(out)
        target = self.folder(stage, key)
        make_stage_folder(self.volumes, stage)
        published = self.find(stage, key)
        if published and published.manifest == made.manifest:
            carry(made, published)
            shutil.rmtree(out.parent)
            return published
        if published:
            self._keep_conflict(published, made, out)
        self._keep_notes(target, scratch, run)
        self.describe(Artefact(target, made.manifest))
        os.rename(out, target)
        sync(target.parent)
        shutil.rmtree(out.parent)
        return Artefact(target, made.manifest)

    def adopt(self, stage: str, key: str, folder: Path) -> Artefact:
        """Publish `folder`, an artefact with its manifest that was made elsewhere; it has to lie on the volume, and is
        moved.

        `IntegrityError` if it is not wholly that of `stage` and `key`, `ConflictError` if the key holds other bytes
        already.
        """
        found = foreign(folder, stage, key)
        found.checked()
        self.keys.require(found, f"What came, {stage} {key[:KEY_CHARACTERS]},")
        target = self.folder(stage, key)
        make_stage_folder(self.volumes, stage)
        with self.lock(stage, key):
            published = self.find(stage, key)
            if published and published.manifest == found.manifest:
                carry(found, published)
                shutil.rmtree(folder)
                return published
            if published:
                self._keep_conflict(published, found, folder)
            sync_all(folder)
            os.rename(folder, target)
            sync(target.parent)
        return Artefact(target, found.manifest)

    def sign(self, artefact: Artefact) -> None:
        """Vouch for what is published: hash every file again, then sign."""
        with self.lock(artefact.about["stage"], artefact.about["key"]):
            artefact.checked()
            self.keys.seal(artefact)

    def describe(self, artefact: Artefact) -> Path:
        """Write the artefact's bill of materials beside it, outside its digest, and return its path."""
        return notes.write(artefact.notes / "sbom.cdx.json", sbom.of_artefact(artefact.manifest, self.repository))

    def _keep_notes(self, target: Path, scratch: Path, run: dict[str, Any]) -> None:
        beside = target.with_name(target.name + ".run")
        clear(beside)
        notes.write(beside / "run.json", run)
        if (scratch / "logs").is_dir():
            shutil.move(scratch / "logs", beside / "logs")

    def _keep_conflict(self, published: Artefact, other: Artefact, out: Path) -> None:
        taken = len(list(self.volumes.glob(f"{published.about['stage']}/{published.key}.conflict-*")))
        second = f"{published.path}.conflict-{taken + 1}"
        os.rename(out, second)
        sync(published.path.parent)
        old, new = published.files, other.files
        name = next((n for n in sorted(old.keys() | new.keys()) if old.get(n) != new.get(n)), MANIFEST)
        both = f"{published.path} and {second}"
        raise ConflictError(f"The same key gave different bytes, first in {name}; both are kept: {both}.")


def foreign(folder: Path, stage: str, key: str) -> Artefact:
    """Return an artefact that another machine wrote, its manifest believed only where it agrees with itself."""
    try:
        return read(folder, stage, key)
    except ArtefactError:
        wanted = f"{stage} {key[:KEY_CHARACTERS]}"
        raise IntegrityError(f"What came is not the artefact of {wanted}; nothing was published.") from None


def _written(out: Path) -> dict[str, str]:
    """Return {file: SHA-256} of what a stage wrote."""
    for path in (found := all_files(out, MANIFEST, ENVELOPE)):
        if path.is_symlink() or not path.is_file():
            name = path.relative_to(out)
            raise ArtefactError(f"The stage wrote {name}, which is no plain file; it must write files alone.")
    return {path.relative_to(out).as_posix(): file_digest(path) for path in found}
