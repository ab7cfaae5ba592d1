"""A `docker save` archive of somebody's, and the one that is given to `docker load` in its place.

An archive may hold any images under any names, and the engine takes them all. What it is given is therefore written
here: one image under one name, its layers those that were expected. Nothing else of the archive reaches the engine.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import posixpath
import subprocess
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from microstage.errors import EnvironmentProblem, IntegrityError
from microstage.untrusted.bounds import BoundedStream, Readable
from microstage.untrusted.json_text import parse_json
from microstage.untrusted.printable import shown
from microstage.untrusted.tars import is_plain, tar
from microstage_runner.engines import pipes
from microstage_runner.engines.engine import Engine

__all__ = ["SavedImage", "load", "read"]

_MANIFEST = "manifest.json"
_FIELDS = {"Config", "RepoTags", "Layers", "LayerSources"}
_LARGEST_TEXT = 1 << 24
_MOST_UNPACKED = 20  # times the archive: layers may be packed, as some engines save them
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class SavedImage:
    """One image in an archive: its configuration, and its layers, {digest: (offset, packed bytes, bytes)}."""

    path: Path
    name: str
    config: bytes
    layers: dict[str, tuple[int, int, int]]

    def write(self, stream: IO[bytes]) -> None:
        """Write an archive of this image alone."""
        digests = parse_json(self.config)["rootfs"]["diff_ids"]
        config = f"{hashlib.sha256(self.config).hexdigest()}.json"
        manifest = [{"Config": config, "RepoTags": [self.name], "Layers": [f"{d[7:]}.tar" for d in digests]}]
        with tarfile.open(fileobj=stream, mode="w|") as archive, self.path.open("rb") as source:
            _add(archive, config, len(self.config), io.BytesIO(self.config))
            for digest, (offset, packed, size) in self.layers.items():
                with _unpacked(source, offset, packed) as layer:
                    _add(archive, f"{digest[7:]}.tar", size, layer)
            text = json.dumps(manifest).encode()
            _add(archive, _MANIFEST, len(text), io.BytesIO(text))


def read(path: Path, name: str, layers: Sequence[str], recipe: str = "") -> SavedImage:
    """Return the image `name` of the archive `path`; raise `IntegrityError` unless it is the only one, of just
    `layers`.

    With `recipe`, it has to bear that label.
    """
    try:
        with path.open("rb") as stream:
            found = _members(stream)
            config = _config(stream, found, name)
            about = parse_json(config)
            label = (about["config"].get("Labels") or {}).get("org.microstage.recipe") if recipe else ""
            if about["rootfs"]["diff_ids"] != list(layers) or label != recipe:
                raise IntegrityError("It is not the image that was packed.")
            largest = _MOST_UNPACKED * path.stat().st_size
            files = dict(zip(layers, _manifest(stream, found)["Layers"], strict=True))
            held = {digest: _layer(stream, *_place(found, file), digest, largest) for digest, file in files.items()}
        return SavedImage(path, name, config, held)
    except IntegrityError as error:
        raise IntegrityError(f"The image archive {path.name} is refused: {error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise IntegrityError(f"The image archive {path.name} is refused: `docker save` writes no such.") from None


def load(engine: Engine, path: Path, name: str, layers: Sequence[str], recipe: str = "") -> None:
    """Let `engine` have the image that `read` finds, and nothing else of the archive."""
    image = read(path, name, layers, recipe)
    loading = subprocess.Popen([*engine.command, "load"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        with pipes.end_of(loading.stdin) as stream:
            image.write(stream)
    except BrokenPipeError:
        pass  # it says why
    finally:
        code = loading.wait()
    if code:
        raise EnvironmentProblem(f"The engine does not load the image {name}; its own message is above.")


def _add(archive: tarfile.TarFile, name: str, size: int, content: Readable) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, content)  # type: ignore[arg-type]  # its stub wants a size by default, which it never uses


def _members(stream: IO[bytes]) -> dict[str, tarfile.TarInfo]:
    """Return {name: member} of an archive, each name once."""
    found: dict[str, tarfile.TarInfo] = {}
    with tar(stream, "r:") as archive:
        for member in archive:
            if member.name in found:
                raise IntegrityError(f"It holds {shown(member.name)} twice.")
            found[member.name] = member
    return found


def _place(found: Mapping[str, tarfile.TarInfo], name: str) -> tuple[int, int]:
    """Return (offset, size) of a file of the archive; a layer that an image has twice may be a link to the first."""
    member = found[name]
    if member.issym():
        member = found[posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))]
    if not is_plain(member):
        raise IntegrityError(f"{shown(name)} is no plain file.")
    return member.offset_data, member.size


def _text(stream: IO[bytes], found: Mapping[str, tarfile.TarInfo], name: str) -> bytes:
    offset, size = _place(found, name)
    if size > _LARGEST_TEXT:
        raise IntegrityError(f"{shown(name)} has {size >> 20} MiB.")
    stream.seek(offset)
    return stream.read(size)


def _manifest(stream: IO[bytes], found: Mapping[str, tarfile.TarInfo]) -> dict[str, Any]:
    [manifest] = parse_json(_text(stream, found, _MANIFEST))
    if not manifest.keys() <= _FIELDS:  # an engine may read "repotags" as well
        raise IntegrityError(f"Its {_MANIFEST} has fields that are unknown here.")
    return manifest


def _config(stream: IO[bytes], found: Mapping[str, tarfile.TarInfo], name: str) -> bytes:
    """Return the configuration of the only image, which has just one name, and the id that its file is called by."""
    manifest = _manifest(stream, found)
    if manifest["RepoTags"] != [name]:
        raise IntegrityError(f"It holds {shown(manifest['RepoTags'])}, expected {name} alone.")
    config = _text(stream, found, manifest["Config"])
    if hashlib.sha256(config).hexdigest() != posixpath.basename(manifest["Config"]).removesuffix(".json"):
        raise IntegrityError("Its configuration is not the one that its id names.")
    return config


def _layer(stream: IO[bytes], offset: int, packed: int, digest: str, largest: int) -> tuple[int, int, int]:
    """Return (offset, packed bytes, bytes) of a layer, which has the digest."""
    sha, size = hashlib.sha256(), 0
    with _unpacked(stream, offset, packed) as layer:
        bounded = BoundedStream(layer, largest)
        while block := bounded.read(_BLOCK):
            sha.update(block)
            size += len(block)
    if f"sha256:{sha.hexdigest()}" != digest:
        raise IntegrityError(f"A layer has other bytes than its digest {digest[:19]} says.")
    return offset, packed, size


@contextmanager
def _unpacked(stream: IO[bytes], offset: int, size: int) -> Iterator[Readable]:
    """`size` bytes of the stream, unpacked where they are gzip's."""
    stream.seek(offset)
    packed = stream.read(len(_GZIP)) == _GZIP
    stream.seek(offset)
    part = _Part(stream, size)
    try:
        yield gzip.GzipFile(fileobj=part) if packed else part
    except (zlib.error, EOFError, gzip.BadGzipFile):
        raise IntegrityError("A layer is not whole.") from None


class _Part:
    """The next `size` bytes of a stream, as a stream."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int) -> bytes:
        block = self._stream.read(min(size, self._left))
        self._left -= len(block)
        return block

    def seek(self, place: int) -> int:
        raise io.UnsupportedOperation("it is read once, from its beginning")
