"""`make data`: a published dataset fetched once, every file checked against its SHA-256. Standard library only."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from microstage.datasets.archives import ARCHIVES, fetch_whole
from microstage.errors import DatasetError, IntegrityError, ParameterError
from microstage.files.atomic import half_made
from microstage.process.progress import progress
from microstage.untrusted.bounds import BoundedStream, assert_room, within
from microstage.untrusted.tars import content_of, is_plain, tar

__all__ = ["fetch", "require"]

# The authors' recordings as they stand in the repository of a later study, at one commit. Its folder names differ from
# ours, and an archive's own bytes may change: what counts are the digests of the files inside.
_ARCHIVES = {
    "ev-cpw": "https://github.com/CNStanLee/HarmonicAIDataset/archive/f3bcf1ebba39bc7fd3e1367d8d05a98026addd60.tar.gz",
}
_ARCHIVE_MIB, _UNPACKED_MIB, _FILE_MIB = 1024, 4096, 16  # at most, of such an archive, all in it, and a recording
_CHUNK = 1 << 20
_SECONDS = 60
_SLOWEST = 1 << 16  # bytes a second


def require(name: str) -> None:
    """Raise `ParameterError` for a dataset that cannot be downloaded."""
    known = [*_ARCHIVES, *ARCHIVES]
    if name not in known:
        raise ParameterError(f"DATASET={name or '(none)'} cannot be downloaded: expected one of {', '.join(known)}.")


def fetch(name: str, place: Path) -> None:
    """Put dataset `name` under `place`; files that are there and intact stay. Nothing is left of a failed download."""
    if name in ARCHIVES:
        print(f"{name}: {fetch_whole(name, place, _download)}, every archive's SHA-256 as published here.")
        return
    require(name)
    folder = place / name.replace("-", "_")
    wanted = _digests(name)
    missing = {digest: path for path, digest in wanted.items() if _digest(folder / path) != digest}
    if missing:
        with half_made(folder) as scratch:
            _download(_ARCHIVES[name], scratch / "archive.tar.gz", _ARCHIVE_MIB)
            _extract(scratch / "archive.tar.gz", missing, scratch, folder)
    print(f"{name}: {len(wanted)} files in {folder}, {len(missing)} new, every SHA-256 as published here.")


def _digests(name: str) -> dict[str, str]:
    """Return {path: SHA-256} from the list beside this file."""
    lines = (Path(__file__).parent / f"{name.replace('-', '_')}.sha256").read_text().splitlines()
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _download(url: str, target: Path, mib: int) -> None:
    """Write what is at `url` to `target`: at most so many MiB, for which there is room, in bounded time."""
    try:
        with within(_SECONDS + (mib << 20) / _SLOWEST), urllib.request.urlopen(url, timeout=_SECONDS) as answer:
            size, body = _declared(answer, mib), BoundedStream(answer, mib << 20)
            assert_room(target.parent, size, 1)
            chunks = iter(lambda: body.read(_CHUNK), b"")
            with open(target, "wb") as file:
                for chunk in progress(chunks, -(-size // _CHUNK), "downloading (MiB)") if size else chunks:
                    file.write(chunk)
    except IntegrityError as error:
        raise DatasetError(f"{url} is refused: {error}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DatasetError(
            f"{url} cannot be fetched: {getattr(error, 'reason', error)}; DATA_DIR= may point at a copy."
        ) from None


def _declared(answer: http.client.HTTPResponse, mib: int) -> int:
    """Return how many bytes are said to come; 0 where that is not said."""
    size = int(answer.headers.get("Content-Length") or 0)
    if not 0 <= size <= mib << 20:
        raise IntegrityError(f"It is said to have {size >> 20} MiB, and has {mib} at most.")
    return size


def _extract(archive: Path, missing: dict[str, str], scratch: Path, folder: Path) -> None:
    """Take the members whose bytes are wanted, whatever they are called; all of them or none."""
    found: dict[str, Path] = {}
    try:
        for content in _csv_members(archive):
            digest = hashlib.sha256(content).hexdigest()
            if digest in missing and digest not in found:
                found[digest] = scratch / digest
                found[digest].write_bytes(content)
    except IntegrityError as error:
        raise DatasetError(f"{archive.name} is refused: {error}") from None
    absent = sorted(path for digest, path in missing.items() if digest not in found)
    if absent:
        raise DatasetError(
            f"{len(absent)} files are not in the archive with the bytes expected, first {absent[0]}; nothing was kept."
        )
    for digest, path in missing.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found[digest], f"{found[digest]}.copy")
        os.replace(f"{found[digest]}.copy", target)


def _csv_members(archive: Path) -> Iterator[bytes]:
    with gzip.open(archive) as unpacked, tar(BoundedStream(unpacked, _UNPACKED_MIB << 20)) as opened:
        for member in opened:
            if is_plain(member) and member.name.lower().endswith(".csv") and member.size <= _FILE_MIB << 20:
                yield content_of(opened, member).read()
