"""Tell where in a network file the constants of a model lie."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microstage_cbackend.network_file.format.numbers import LAYOUTS, PLACES
from microstage_cbackend.network_file.format.records import HEADER, PACKED, SECTION, TENSOR
from microstage_cbackend.network_file.writing.contents import dtype_of
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.writers.constants import FileSpan, Spans

__all__ = ["spans_of"]


def spans_of(data: bytes, numbers: Mapping[Tensor, int]) -> Spans:
    """Return where the constants among `numbers`, {tensor: its number}, lie in the file `data`, by layout."""
    header = np.frombuffer(data, HEADER.dtype, 1)[0]
    table = np.frombuffer(data, SECTION.dtype, int(header["sections"]), HEADER.size)
    starts = {(bytes(entry["kind"]).decode(), int(entry["layout"])): int(entry["offset"]) for entry in table}
    records = np.frombuffer(data, TENSOR.dtype, 1 + max(numbers.values(), default=-1), starts["TENS", 0])
    found: dict[Tensor, dict[str, FileSpan]] = {}
    for tensor, number in numbers.items():
        offset, place = int(records[number]["offset"]), int(records[number]["place"])
        if place == PLACES["constant"]:
            size = int(records[number]["elements"]) * dtype_of(tensor.ctype).itemsize
            found[tensor] = {"rows": FileSpan(starts["CONS", 0] + offset, size)}
        elif place == PLACES["packed"]:
            found[tensor] = {
                layout: span
                for layout, number_of in LAYOUTS.items()
                if ("PACK", number_of) in starts
                for span in [_packed(data, starts["PACK", number_of], offset)]
                if span.bytes
            }
    return found


def _packed(data: bytes, start: int, number: int) -> FileSpan:
    entry = np.frombuffer(data, PACKED.dtype, 1, start + number * PACKED.size)[0]
    return FileSpan(start + int(entry["offset"]), int(entry["bytes"]))
