"""Make of records.py and numbers.py the tables of docs/network-file.md and the interpreter's `msn_format.h`.

python -m microstage_cbackend.network_file.format.tables docs/network-file.md   (writes both anew)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from microstage_cbackend.network_file.format.numbers import (
    CALLS,
    CTYPES,
    KERNELS,
    LAYOUTS,
    PLACES,
    PROGRAMS,
    ROUNDINGS,
    STAGES,
)
from microstage_cbackend.network_file.format.records import ABSENT, RECORDS, SECTIONS, VERSION, FileRecord

__all__ = ["HEADER_FILE", "c_header", "with_tables"]

HEADER_FILE = Path(__file__).parents[2] / "interpreter" / "msn_format.h"
_NAMED = {
    "TYPE": {name.removesuffix("_t"): number for name, number in CTYPES.items()},
    "PLACE": PLACES,
    "LAYOUT": LAYOUTS,
    "PROGRAM": PROGRAMS,
    "CALL": {name: number for name, (number, _) in CALLS.items()},
    "STAGE": {stage.name: stage.number for stage in STAGES},
    "KERNEL": {kernel.name.removeprefix("ms_"): kernel.number for kernel in KERNELS},
    "ROUNDING": ROUNDINGS,
}


def c_header() -> str:
    """Return `msn_format.h`: a structure for each record, and names for all numbers."""
    lines = [
        "/* msn_format.h: docs/network-file.md in C; microstage_cbackend.network_file.format.tables writes it.",
        " *",
        " * Structures lie in the file as they are here, little-endian; each field at a multiple of its size. */",
        "#ifndef MSN_FORMAT_H",
        "#define MSN_FORMAT_H",
        "",
        "#include <stdint.h>",
        "",
        f"#define MSN_MAJOR {VERSION[0]}",
        f"#define MSN_MINOR {VERSION[1]}",
        f"#define MSN_ABSENT 0x{ABSENT:08x}u",
        f"#define MSN_SECTIONS {len(SECTIONS)} /* kinds of sections */",
    ]
    for prefix, numbers in _NAMED.items():
        members = ", ".join(f"MSN_{prefix}_{name.upper()} = {number}" for name, number in numbers.items())
        lines += ["", *_broken(f"enum {{ {members} }};")]
    for record in RECORDS:
        lines += ["", *_structure(record)]
    return "\n".join([*lines, "", "#endif", ""])


def _broken(text: str) -> list[str]:
    """Break `text` behind commas into lines of at most 116 columns."""
    lines, rest = [], text
    while len(rest) > 116:
        at = rest.rindex(",", 0, 116) + 1
        lines.append(rest[:at])
        rest = "    " + rest[at:].lstrip()
    return [*lines, rest]


def _structure(record: FileRecord) -> list[str]:
    fields = [f"    {f.kind}_t {f.name}{f'[{f.count}]' if f.count > 1 else ''};" for f in record.fields]
    name = f"msn_{record.name}"
    check = f"typedef char {name}_has_{record.size}_bytes[sizeof({name}) == {record.size} ? 1 : -1];"
    return [f"/* {record.says} */", "typedef struct {", *fields, f"}} {name};", check]


def with_tables(page: str) -> str:
    """Return the page with its tables anew: what stands between `<!-- table: NAME -->` and `<!-- end -->`."""
    tables = {record.name: _record_table(record) for record in RECORDS} | _others()
    return re.sub(
        r"<!-- table: (\w+) -->\n.*?<!-- end -->",
        lambda found: "\n".join([f"<!-- table: {found[1]} -->", *tables[found[1]], "<!-- end -->"]),
        page,
        flags=re.DOTALL,
    )


def _table(heads: list[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *lines]


def _record_table(record: FileRecord) -> list[str]:
    rows = [
        [at, f.kind + (f"[{f.count}]" if f.count > 1 else ""), f"`{f.name}`", f.says]
        for at, f in zip(record.offsets(), record.fields)
    ]
    return [*_table(["byte", "type", "field", "says"], rows), "", f"{record.size} bytes."]


def _others() -> dict[str, list[str]]:
    lists = {"types": CTYPES, "places": PLACES, "layouts": LAYOUTS, "programs": PROGRAMS, "roundings": ROUNDINGS}
    found = {
        name: [", ".join(f"{number} `{said}`" for said, number in numbers.items())] for name, numbers in lists.items()
    }
    calls = [[number, f"`{name}`", says] for name, (number, says) in CALLS.items()]
    stages = [[s.number, f"`{s.name}`", _types(s.arrays), ", ".join(s.numbers), s.wide] for s in STAGES]
    kernels = [
        [k.number, f"`{k.name}`", *(said or "-" for said in (k.x, k.w, k.third, k.y)), f"`{k.struct}`", _sizes(k.sizes)]
        for k in KERNELS
    ]
    sections = [
        [f"`{s.kind}`", f"{s.record.size}" if s.record else "", s.says + ("" if s.needed else " (may be missing)")]
        for s in SECTIONS
    ]
    return found | {
        "sections": _table(["kind", "bytes of a record", "holds"], sections),
        "calls": _table(["number", "call", "does"], calls),
        "stages": _table(["number", "stage", "arrays", "numbers", "wide"], stages),
        "kernels": _table(["number", "kernel", "x", "w", "third", "y", "structure", "shape"], kernels),
    }


def _types(arrays: dict[str, str]) -> str:
    return ", ".join(f"{name} {ctype.removesuffix('_t')}" for name, ctype in arrays.items())


def _sizes(names: tuple[str, ...]) -> str:
    """Join the names of fields, four elements of an array as one."""
    return ", ".join(re.sub(r"\[0\]$", "[4]", name) for name in names if not re.search(r"\[[123]\]$", name))


def main(page: str) -> None:
    """Write the header of the interpreter, and the tables of `page`, anew."""
    HEADER_FILE.write_text(c_header())
    Path(page).write_text(with_tables(Path(page).read_text()))


if __name__ == "__main__":
    main(sys.argv[1])
