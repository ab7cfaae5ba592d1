"""Read a network file: header, table, checksums, and sections as rows of records."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from microstage.errors import ArtefactError
from microstage_cbackend.network_file.format.numbers import CTYPES, LAYOUTS, PLACES
from microstage_cbackend.network_file.format.records import (
    ABSENT,
    HEADER,
    MAGIC,
    PACKED,
    SECTION,
    SECTIONS,
    VERSION,
    Section,
)
from microstage_cbackend.network_file.writing.contents import dtype_of
from microstage_cbackend.network_file.writing.pools import ALIGNED

__all__ = ["NetworkFile", "damaged", "read_container"]

_DIGEST = 32
_TYPE_NAMES = {number: name for name, number in CTYPES.items()}


def damaged(what: str) -> ArtefactError:
    """Return the error of a file that is not what docs/network-file.md says."""
    return ArtefactError(f"The network file is damaged: {what}; write or fetch it again.")


@dataclass
class NetworkFile:
    """Hold a file that was read: `rows` of records by the letters of their section, `packs` by layout."""

    header: np.void
    sections: dict[str, bytes] = field(default_factory=dict)
    packs: dict[int, bytes] = field(default_factory=dict)
    rows: dict[str, np.ndarray] = field(default_factory=dict)

    def text(self, at: int) -> str:
        """Return the name that begins at byte `at` of TEXT."""
        texts = self.sections["TEXT"]
        if not 0 <= at < len(texts):
            raise damaged(f"a name begins at byte {at} of TEXT, which has {len(texts)}")
        return texts[at : texts.index(0, at)].decode("utf-8", "replace")

    @property
    def classes(self) -> list[str]:
        """Return what answers are of."""
        return [self.text(int(at)) for at in np.frombuffer(self.sections.get("CLAS", b""), "<u4")]

    def ctype(self, number: int) -> str:
        """Return the C type of this number."""
        if number not in _TYPE_NAMES:
            raise damaged(f"there is no type {number}")
        return _TYPE_NAMES[number]

    def values(self, tensor: int) -> np.ndarray:
        """Return the values of a constant tensor, or of packed weights in rows."""
        found = self.rows["TENS"][tensor]
        dtype, start, count = dtype_of(self.ctype(found["ctype"])), int(found["offset"]), int(found["elements"])
        if found["place"] == PLACES["packed"]:
            data = self.packed(start, "rows")
            return np.frombuffer(data, dtype, count)
        return np.frombuffer(self.sections["CONS"], dtype, count, start)

    def optional(self, tensor: int) -> np.ndarray | None:
        """Return the same, None where there is no tensor."""
        return None if tensor == ABSENT else self.values(tensor)

    def packed(self, number: int, layout: str) -> bytes:
        """Return the bytes of packed weights in a layout."""
        section = self.packs[LAYOUTS[layout]]
        entry = np.frombuffer(section, PACKED.dtype, 1, number * PACKED.size)[0]
        return section[int(entry["offset"]) : int(entry["offset"] + entry["bytes"])]


def read_container(data: bytes) -> NetworkFile:
    """Return the sections of `data`, each with its checksum proven; `ArtefactError` in one sentence for any damage."""
    header = _header(data)
    entries = np.frombuffer(data, SECTION.dtype, int(header["sections"]), int(header["header_bytes"]))
    found = NetworkFile(header)
    for entry in entries:
        kind, section = bytes(entry["kind"]).decode("latin1"), _section(data, entry, int(header["file_bytes"]))
        if kind == "PACK":
            found.packs[int(entry["layout"])] = section
        elif kind in found.sections:
            raise damaged(f"section {kind} is there twice")
        else:
            found.sections[kind] = section
    _digest(data[: int(header["file_bytes"])])
    for known in SECTIONS:
        _rows(found, known)
    if not found.sections["TEXT"].endswith(b"\0"):
        raise damaged("TEXT does not end with a NUL")
    return found


def _header(data: bytes) -> np.void:
    if len(data) < HEADER.size:
        raise damaged(f"it ends after {len(data)} bytes, inside the header")
    header = np.frombuffer(data, HEADER.dtype, 1)[0]
    if bytes(header["magic"]) != MAGIC:
        raise ArtefactError(f"This is no network file: it begins with {bytes(header['magic'])!r}, not {MAGIC!r}.")
    if header["major"] != VERSION[0]:
        raise ArtefactError(
            f"The network file has version {header['major']}.{header['minor']}, and this reader knows {VERSION[0]}; "
            "take a reader of that version, or write the file again."
        )
    if int(header["file_bytes"]) > len(data):
        raise damaged(f"it has {len(data)} bytes of {header['file_bytes']}")
    start, count = int(header["header_bytes"]), int(header["sections"])
    end = start + count * SECTION.size
    if start < HEADER.size or start % 8 or end + _DIGEST > int(header["file_bytes"]):
        raise damaged("its table of sections does not fit")
    zeroed = bytearray(data[: HEADER.size])
    at = HEADER.offsets()[[f.name for f in HEADER.fields].index("crc")]
    zeroed[at : at + 4] = bytes(4)
    if zlib.crc32(data[HEADER.size : end], zlib.crc32(zeroed)) != header["crc"]:
        raise damaged("header or table differ from their checksum")
    return header


def _section(data: bytes, entry: np.void, file_bytes: int) -> bytes:
    kind, start, count = bytes(entry["kind"]).decode("latin1"), int(entry["offset"]), int(entry["bytes"])
    if start % ALIGNED or start + count > file_bytes - _DIGEST:
        raise damaged(f"section {kind} does not lie inside the file at a multiple of {ALIGNED}")
    section = data[start : start + count]
    if zlib.crc32(section) != entry["crc"]:
        raise damaged(f"section {kind} differs from its checksum")
    return section


def _digest(whole: bytes) -> None:
    if sha256(whole[:-_DIGEST]).digest() != whole[-_DIGEST:]:
        raise damaged("it differs from its SHA-256")


def _rows(found: NetworkFile, section: Section) -> None:
    """Read a section as records, if it is a row of them."""
    kind, record = section.kind, section.record
    if section.needed and kind not in found.sections:
        raise damaged(f"it has no section {kind}")
    if record is None:
        return
    if len(found.sections[kind]) % record.size:
        raise damaged(f"section {kind} has {len(found.sections[kind])} bytes, no multiple of {record.size}")
    found.rows[kind] = np.frombuffer(found.sections[kind], record.dtype)
