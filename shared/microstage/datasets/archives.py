"""Datasets that come as whole archives: each is checked against its SHA-256 before it is unpacked.

Standard library only.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from microstage.errors import DatasetError
from microstage.files.atomic import half_made
from microstage.files.canonical import file_digest
from microstage.untrusted.tars import content_of

__all__ = ["ARCHIVES", "Archive", "fetch_whole"]

_NOTE = ".archives.sha256"  # written last: a folder that has it is whole


@dataclass(frozen=True)
class Archive:
    """A .tar.gz, unpacked into `folder` of its dataset; or another file, which is kept there as it is.

    What is longer than `mib` MiB is not it, and is not downloaded to its end.
    """

    url: str
    sha256: str
    folder: str
    mib: int


_SPEECH = "http://download.tensorflow.org/data/speech_commands"
_MNIST = {
    "train-images-idx3": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_CIFAR10 = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVES = {
    "mnist": tuple(
        Archive(f"https://storage.googleapis.com/cvdf-datasets/mnist/{name}-ubyte.gz", sha, ".", 16)
        for name, sha in _MNIST.items()
    ),
    "cifar10": (Archive(_CIFAR10, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", ".", 256),),
    "speech-commands": (
        Archive(
            f"{_SPEECH}_v0.02.tar.gz", "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58", ".", 2560
        ),
        Archive(
            f"{_SPEECH}_test_set_v0.02.tar.gz",
            "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
            "test_set",
            256,
        ),
    ),
}


def fetch_whole(name: str, place: Path, download: Callable[[str, Path, int], None]) -> Path:
    """Return the folder under `place` that holds all archives of dataset `name`.

    What is there and whole stays; a failure leaves nothing.
    """
    folder, archives = place / name.replace("-", "_"), ARCHIVES[name]
    note = "".join(f"{archive.sha256}  {archive.folder}\n" for archive in archives)
    if (folder / _NOTE).is_file() and (folder / _NOTE).read_bytes() == note.encode():
        return folder
    with half_made(folder) as scratch:
        made = scratch / "made"
        for archive in archives:
            packed = scratch / PurePosixPath(archive.url).name
            download(archive.url, packed, archive.mib)
            if (found := file_digest(packed)) != archive.sha256:
                raise DatasetError(
                    f"{archive.url} has the SHA-256 {found}, expected {archive.sha256}; nothing of it was kept."
                )
            if packed.name.endswith(".tar.gz"):
                _unpack(packed, made / archive.folder)
            else:
                (made / archive.folder).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(packed, made / archive.folder / packed.name)
            packed.unlink()
        (made / _NOTE).write_text(note)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(made, folder)
    return folder


def _unpack(packed: Path, folder: Path) -> None:
    """Unpack plain files alone, and only below `folder`."""
    try:
        with tarfile.open(packed) as opened:
            for member in opened:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.is_absolute() or ".." in path.parts:
                    continue
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with content_of(opened, member) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DatasetError(f"What was downloaded is no whole archive: {error}.") from None
