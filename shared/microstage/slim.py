"""Remove from a virtual environment what no stage loads: tests, headers, static libraries, and torch's CUDA half.

Modules of tests stay where another module of the package imports them, as numpy.testing does.

`python slim.py ENVIRONMENT`, after installing; the standard library alone, of CPython 3.10 too. `slim.json` beside a
package's metadata says what it lost, and its RECORD says what it still has. A second run changes nothing.

torch is published for Linux with CUDA alone, and its `libtorch_python.so` asks for 308 symbols of CUDA by name.
A library of 31 kB stands in for them. Without a GPU none is called: torch looks for one first, and says "Cannot
initialize CUDA". Were one called all the same, it would say so and end the process with code 70.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["NOTE", "slim"]

NOTE = "slim.json"
_CUDA = "CUDA, for which libtorch_cuda.so stands in"
_UNUSED = {  # why a file goes: paths as RECORD writes them
    "tests": re.compile(r"(^|/)tests?/"),
    "headers": re.compile(r"^torch/(include|share)/"),
    "static libraries": re.compile(r"\.a$"),
    "compilers": re.compile(r"^torch/bin/protoc"),
    _CUDA: re.compile(r"^torch/lib/lib(torch_cuda\w*|caffe2_nvrtc)\.so$"),
}
# The dots of a relative import, then the name of a package of tests.
_TESTS_IMPORTED = re.compile(r"^[ \t]*(?:from|import)[ \t]+(\.*)((?:\w+\.)*tests?)\b", re.MULTILINE)
_LIBRARIES = "torch/lib"
_STAND_IN = "libtorch_cuda.so"
_ALIASES = ("libtorch_cuda_cpp.so", "libtorch_cuda_cu.so", "libcudnn.so.8", "libcublas.so.11")


def slim(environment: Path) -> None:
    """Remove the unused files of every package in `environment` that was not slimmed before."""
    for information in sorted(environment.glob("lib/python3*/site-packages/*.dist-info")):
        if (information / "RECORD").is_file() and not (information / NOTE).exists():
            _slim_package(information)


def _slim_package(information: Path) -> None:
    packages, record = information.parent, information / "RECORD"
    rows = list(csv.reader(record.read_text().splitlines()))
    unused = {row[0]: reason for row in rows if (reason := _reason(row[0]))}
    needed = _imported_tests(packages, [row[0] for row in rows if row[0] not in unused])
    unused = {name: reason for name, reason in unused.items() if not (name.startswith(needed) and name.endswith(".py"))}
    symbols = _wanted_symbols(packages / _LIBRARIES) if _CUDA in unused.values() else {}
    removed: dict[str, dict[str, int]] = {}
    for name, reason in unused.items():
        count = removed.setdefault(reason, {"files": 0, "bytes": 0})
        count["files"] += 1
        count["bytes"] += _remove(packages, name)
    if removed:
        _replace(information / NOTE, json.dumps(removed, indent=1).encode())
        added = [f"{information.name}/{NOTE}", *_write_stand_in(packages, symbols)]
        _write_record(record, [row for row in rows if row[0] not in unused], added)


def _reason(name: str) -> str | None:
    return next((reason for reason, unused in _UNUSED.items() if unused.search(name) and ".." not in name), None)


def _imported_tests(packages: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return the folders of tests, each with "/" at its end, that a module of `names` imports: numpy.testing does so."""
    found = set()
    for name in names:
        path = packages / name
        if path.suffix == ".py" and path.is_file():
            for dots, dotted in _TESTS_IMPORTED.findall(path.read_text("utf-8", "replace")):
                around = name.split("/")[: -len(dots)] if dots else []
                found.add("/".join([*around, *filter(None, dotted.split(".")), ""]))
    return tuple(sorted(found))


def _remove(packages: Path, name: str) -> int:
    """Remove a file, and the folders that are empty without it; return its size."""
    path = packages / name
    size = path.stat().st_size
    path.unlink()
    with suppress(OSError):  # a folder that still holds something
        while True:
            path = path.parent
            path.rmdir()
    return size


def _write_record(record: Path, kept: list[list[str]], added: list[str]) -> None:
    for name in added:
        data = (record.parent.parent / name).read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        kept.append([name, f"sha256={digest}", str(len(data))])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(kept)
    _replace(record, text.getvalue().encode())


def _replace(path: Path, data: bytes) -> None:
    """Write a new file: the old one may be a link to the installer's cache."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def _wanted_symbols(libraries: Path) -> dict[bytes, bool]:
    """Return {symbol: whether it is data} of what the libraries that stay want of those that go, and of cuDNN."""
    goes = {path for path in libraries.glob("*.so*") if _UNUSED[_CUDA].search(f"{_LIBRARIES}/{path.name}")}
    offered = {name: is_data for path in goes for name, is_data, defined in _dynamic_symbols(path) if defined}
    wanted: set[bytes] = set()
    stays: set[bytes] = set()
    for path in set(libraries.glob("*.so*")) - goes:
        for name, _, defined in _dynamic_symbols(path):
            (stays if defined else wanted).add(name)
    missing = {name for name in wanted - stays if name in offered or name.startswith(b"cudnn")}
    return {name: offered.get(name, False) for name in sorted(missing)}


def _dynamic_symbols(library: Path) -> Iterator[tuple[bytes, bool, bool]]:
    """Yield (name, whether it is data, whether it is defined there) of each symbol of a 64-bit ELF library."""
    with library.open("rb") as file:
        header = file.read(64)
        (start,), (size, count) = struct.unpack_from("<Q", header, 40), struct.unpack_from("<HH", header, 58)
        sections = list(struct.iter_unpack("<IIQQQQIIQQ", _read(file, start, size * count)))
        table = next(section for section in sections if section[1] == 11)  # SHT_DYNSYM
        symbols, names = (_read(file, *section[4:6]) for section in (table, sections[table[6]]))
    for name, info, _, section, _, _ in struct.iter_unpack("<IBBHQQ", symbols):
        yield names[name : names.index(b"\0", name)], info & 15 == 1, section != 0


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _write_stand_in(packages: Path, symbols: dict[bytes, bool]) -> list[str]:
    """Write the library that defines `symbols`, if there are any, and links to it; return their names."""
    if not symbols:
        return []
    libraries = packages / _LIBRARIES
    _replace(libraries / _STAND_IN, _library(symbols))
    for name in _ALIASES:
        (libraries / name).symlink_to(_STAND_IN)
    return [f"{_LIBRARIES}/{name}" for name in (_STAND_IN, *_ALIASES)]


_PAGE = 4096
_HEADERS = 64 + 4 * 56
_DATA = 64  # bytes of a symbol that is data
_TAGS = 12
_BUCKETS = 257
_VERSIONS = (b"libtorch_cuda.so", b"libcudnn.so.8")
_SAYS = b"torch: a function of CUDA was called, and this environment holds none of CUDA.\n"
_CODE = b"".join(
    (
        b"\xb8\x01\0\0\0",  # mov eax, 1: write(
        b"\xbf\x02\0\0\0",  # mov edi, 2: 2,
        b"\x48\x8d\x35\x13\0\0\0",  # lea rsi, [rip + 19]: _SAYS,
        struct.pack("<BI", 0xBA, len(_SAYS)),  # mov edx, length: its length)
        b"\x0f\x05",  # syscall
        b"\xb8\xe7\0\0\0",  # mov eax, 231: exit_group(
        b"\xbf\x46\0\0\0",  # mov edi, 70: 70)
        b"\x0f\x05",  # syscall
    )
)


def _library(symbols: dict[bytes, bool]) -> bytes:
    """Return an x86-64 ELF library whose functions all are `_CODE`, and whose data looks like a `type_info`.

    First a writable segment (headers, data, the dynamic table), then one that is read and run.
    """
    data = [name for name, is_data in symbols.items() if is_data]
    dynamic = -(-_HEADERS // _DATA) * _DATA + _DATA * len(data)
    image = bytearray(-(-(dynamic + 16 * _TAGS) // _PAGE) * _PAGE)
    addresses = {name: dynamic - _DATA * (number + 1) for number, name in enumerate(data)}
    code = _append(image, _CODE + _SAYS)
    strings = b"\0" + b"\0".join([*symbols, *_VERSIONS]) + b"\0"
    names = _append(image, strings)
    name_at = {name: names + strings.index(b"\0%s\0" % name) + 1 for name in data}
    relocations = [struct.pack("<QQq", address + 8, 8, name_at[name]) for name, address in addresses.items()]
    tags = {
        4: _append(image, _hash_table(symbols)),
        5: names,
        6: _append(image, _symbol_table(symbols, addresses, code)),
        7: _append(image, b"".join(relocations)),
        8: 24 * len(relocations),
        9: 24,
        10: len(strings),
        11: 24,
        0x6FFFFFF0: _append(image, _symbol_versions(symbols)),
        0x6FFFFFFC: _append(image, _version_definitions(strings)),
        0x6FFFFFFD: len(_VERSIONS),
        0: 0,
    }
    image[dynamic : dynamic + 16 * _TAGS] = b"".join(struct.pack("<QQ", *tag) for tag in tags.items())
    image[:_HEADERS] = _headers(dynamic, len(image))
    return bytes(image)


def _append(image: bytearray, part: bytes) -> int:
    """Append `part` at a multiple of 8; return its address."""
    image += bytes(-len(image) % 8)
    address = len(image)
    image += part
    return address


def _headers(dynamic: int, end: int) -> bytes:
    """Return ELF's header and what is loaded where: an address is an offset into the file."""
    written = -(-(dynamic + 16 * _TAGS) // _PAGE) * _PAGE
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = identity + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
    segments = (  # kind, flags, address, size, alignment
        (1, 6, 0, written, _PAGE),  # PT_LOAD, written
        (1, 5, written, end - written, _PAGE),  # PT_LOAD, run
        (2, 6, dynamic, 16 * _TAGS, 8),  # PT_DYNAMIC
        (0x6474E551, 6, 0, 0, 16),  # PT_GNU_STACK: not run
    )
    for kind, flags, at, size, align in segments:
        header += struct.pack("<IIQQQQQQ", kind, flags, at, at, at, size, size, align)
    return header


def _symbol_table(symbols: dict[bytes, bool], data: dict[bytes, int], code: int) -> bytes:
    table, name_at = bytes(24), 1
    for name, is_data in symbols.items():
        kind, address, size = (0x11, data[name], _DATA) if is_data else (0x12, code, len(_CODE))  # STB_GLOBAL
        table += struct.pack("<IBBHQQ", name_at, kind, 0, 1, address, size)
        name_at += len(name) + 1
    return table


def _hash_table(names: Iterable[bytes]) -> bytes:
    buckets, chain = [0] * _BUCKETS, [0]
    for number, name in enumerate(names, 1):
        bucket = _hash(name) % _BUCKETS
        chain.append(buckets[bucket])
        buckets[bucket] = number
    return struct.pack(f"<{2 + _BUCKETS + len(chain)}I", _BUCKETS, len(chain), *buckets, *chain)


def _hash(name: bytes) -> int:
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high
    return value


def _symbol_versions(names: Iterable[bytes]) -> bytes:
    return struct.pack("<H", 0) + b"".join(struct.pack("<H", 2 if name.startswith(b"cudnn") else 1) for name in names)


def _version_definitions(strings: bytes) -> bytes:
    """Return the library's own name, and the version under which cuDNN's functions are asked for."""
    last, table = len(_VERSIONS), b""
    for number, name in enumerate(_VERSIONS, 1):
        table += struct.pack("<HHHHIII", 1, number == 1, number, 1, _hash(name), 20, 28 if number < last else 0)
        table += struct.pack("<II", strings.index(b"\0%s\0" % name) + 1, 0)
    return table


if __name__ == "__main__":
    slim(Path(sys.argv[1]))
