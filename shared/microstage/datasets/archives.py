"""Datasets that come as whole archives: each checked against its SHA-256 before any of it is unpacked. Standard library only."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from microstage.canonical import file_digest
from microstage.errors import DatasetError

__all__ = ["ARCHIVES", "Archive", "fetch_whole"]

_NOTE = ".archives.sha256"  # written last: a folder that has it is whole


@dataclass(frozen=True)
class Archive:
    """A .tar.gz, unpacked into `folder` of its dataset."""

    url: str
    sha256: str
    folder: str


_SPEECH = "http://download.tensorflow.org/data/speech_commands"
ARCHIVES = {
    "speech-commands": (
        Archive(f"{_SPEECH}_v0.02.tar.gz", "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58", "."),
        Archive(f"{_SPEECH}_test_set_v0.02.tar.gz", "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df", "test_set"),
    ),
}


def fetch_whole(name: str, place: Path, download: Callable[[str, Path], None]) -> Path:
    """The folder under `place` that holds all archives of dataset `name`; what is there and whole stays, a failure leaves nothing."""
    folder, archives = place / name.replace("-", "_"), ARCHIVES[name]
    note = "".join(f"{archive.sha256}  {archive.folder}\n" for archive in archives)
    if (folder / _NOTE).is_file() and (folder / _NOTE).read_text() == note:
        return folder
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        made = Path(scratch) / "made"
        for archive in archives:
            packed = Path(scratch) / "archive.tar.gz"
            download(archive.url, packed)
            if (found := file_digest(packed)) != archive.sha256:
                raise DatasetError(f"{archive.url} has the SHA-256 {found}, expected {archive.sha256}; nothing of it was kept.")
            _unpack(packed, made / archive.folder)
            packed.unlink()
        (made / _NOTE).write_text(note)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(made, folder)
    return folder


def _unpack(packed: Path, folder: Path) -> None:
    """Plain files alone, and only below `folder`."""
    try:
        with tarfile.open(packed) as opened:
            for member in opened:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.is_absolute() or ".." in path.parts:
                    continue
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.extractfile(member) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DatasetError(f"What was downloaded is no whole archive: {error}.") from None
