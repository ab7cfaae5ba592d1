"""Define the records of a network file: fields in order, each at a multiple of its size, little-endian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "ABSENT",
    "ARGUMENT",
    "CALL",
    "FACE",
    "GOLDEN",
    "HEADER",
    "LAYER",
    "MAGIC",
    "PACKED",
    "PART",
    "PROGRAM",
    "RECORDS",
    "SECTIONS",
    "SECTION",
    "TENSOR",
    "VERSION",
    "Field",
    "FileRecord",
    "Section",
]

MAGIC = b"MSTAGENT"
VERSION = (1, 0)
ABSENT = 0xFFFFFFFF
"Stands where a record refers to nothing."


@dataclass(frozen=True)
class Field:
    """Describe one field: C type without `_t`, how many of it, and what it says."""

    name: str
    kind: str
    says: str
    count: int = 1

    @property
    def width(self) -> int:
        """Count the bytes of one element."""
        return np.dtype(self.kind).itemsize


@dataclass(frozen=True)
class FileRecord:
    """Describe a record of fixed size; the same record stands in NumPy (`dtype`), in C and in the page."""

    name: str
    says: str
    fields: tuple[Field, ...]

    @property
    def dtype(self) -> np.dtype:
        """Return the record as NumPy reads it, fields one behind another without gaps."""
        return np.dtype(
            [(f.name, np.dtype(f.kind).newbyteorder("<"), (f.count,) if f.count > 1 else ()) for f in self.fields]
        )

    @property
    def size(self) -> int:
        """Count the bytes of a record."""
        return self.dtype.itemsize

    def offsets(self) -> list[int]:
        """Return where each field begins."""
        found, at = [], 0
        for field in self.fields:
            found.append(at)
            at += field.width * field.count
        return found


HEADER = FileRecord(
    "header",
    "The first 64 bytes of the file.",
    (
        Field("magic", "uint8", "`MSTAGENT`", 8),
        Field("major", "uint16", "1; a reader refuses every other"),
        Field("minor", "uint16", "0; higher ones add, and change nothing that is there"),
        Field("header_bytes", "uint32", "64: where the table of sections begins"),
        Field("file_bytes", "uint64", "all bytes of the file"),
        Field("arena_bytes", "uint32", "working memory that an inference needs, a multiple of 8"),
        Field("sections", "uint32", "entries of the table"),
        Field("crc", "uint32", "CRC-32 of header and table, taken with this field as 0"),
        Field("name", "uint32", "TEXT: the network"),
        Field("classes", "uint32", "how many classes answers are of, or 0"),
        Field("reserved", "uint32", "0", 5),
    ),
)
SECTION = FileRecord(
    "section",
    "One entry of the table, which follows the header.",
    (
        Field("kind", "uint8", "four letters", 4),
        Field("layout", "uint32", "of PACK the number of the layout, else 0"),
        Field("offset", "uint64", "where it begins, a multiple of 64"),
        Field("bytes", "uint64", "its bytes, without what fills the gap behind it"),
        Field("crc", "uint32", "CRC-32 of these bytes"),
        Field("reserved", "uint32", "0"),
    ),
)
FACE = FileRecord(
    "face",
    "FACE: an input or output of a program or of a part.",
    (
        Field("name", "uint32", "TEXT"),
        Field("of", "uint32", "TEXT: the real input whose integers these are; 0: the one of the same name"),
        Field("unit", "uint32", "TEXT, or 0"),
        Field("ctype", "uint8", "type of its integers"),
        Field("rank", "uint8", "dimensions that `shape` has"),
        Field("rounding", "uint8", "how reals become these integers; 0: not known"),
        Field("flags", "uint8", "1: the value over its scale is taken in float32"),
        Field("elements", "uint32", "product of the shape"),
        Field("elements_of_step", "uint32", "of a sequence: the elements of one step, else the same as `elements`"),
        Field("low", "int64", "lowest integer that is taken or given"),
        Field("high", "int64", "highest"),
        Field("clip_low", "int64", "lowest integer that a real number becomes"),
        Field("clip_high", "int64", "highest"),
        Field("zero_point", "int64", "real = scale * (integer - zero_point) + offset"),
        Field("scale", "uint32", "tensor of float64, or absent: not known"),
        Field("scale_inner", "uint32", "element i has scale i / scale_inner % elements of `scale`"),
        Field("offset", "uint32", "tensor of float64, or absent: 0"),
        Field("offset_inner", "uint32", "as scale_inner"),
        Field("thresholds", "uint32", "tensor of float64 [rows][levels], or absent"),
        Field("thresholds_inner", "uint32", "element i has row i / thresholds_inner % rows"),
        Field("levels", "uint32", "thresholds in a row"),
        Field("step", "uint32", "integer = clip_low + step * (number of thresholds that the real number reaches)"),
        Field("shape", "uint32", "first `rank` of them; the others are 0", 8),
    ),
)
TENSOR = FileRecord(
    "tensor",
    "TENS: a run of integers in memory.",
    (
        Field("ctype", "uint8", "type"),
        Field("place", "uint8", "where it lies"),
        Field("reserved", "uint16", "0"),
        Field("elements", "uint32", "how many"),
        Field(
            "offset",
            "uint32",
            "bytes from the start of the arena or of CONS; or number of the argument, of the weights in PACK",
        ),
        Field("name", "uint32", "TEXT, or 0"),
        Field("low", "int64", "lowest integer that it holds"),
        Field("high", "int64", "highest"),
    ),
)
LAYER = FileRecord(
    "layer",
    "LAYR: one call of one kernel.",
    (
        Field("kernel", "uint16", "number of the kernel"),
        Field("stage", "uint16", "kind of its stage"),
        Field("accumulator", "uint8", "type of its sums, or 0"),
        Field("reserved", "uint8", "0", 3),
        Field("name", "uint32", "TEXT: the node that it comes of"),
        Field("operator", "uint32", "TEXT: that node's operator"),
        Field("operands", "uint32", "tensors x, w, third, y; each may be absent", 4),
        Field("starts", "uint32", "element of each of these tensors at which the operand begins", 4),
        Field("scratch", "uint32", "bytes from the start of the arena to its working memory"),
        Field("scratch_bytes", "uint32", "bytes of it, or 0"),
        Field("arrays", "uint32", "tensors of the stage, in the order of its kind; absent where it has none", 4),
        Field("numbers", "int32", "numbers of the stage, in the order of its kind; the others are 0", 6),
        Field("wide", "int64", "number of the stage that has 64 bits, or 0"),
        Field("shape", "int32", "sizes, in the order of the kernel; the others are 0", 20),
        Field("factors", "int64", "sizes that have 64 bits, in the order of the kernel", 2),
    ),
)
PART = FileRecord(
    "part",
    "PART: layers that run one after another. Its arguments are its inputs, then its outputs.",
    (
        Field("name", "uint32", "TEXT"),
        Field("first_layer", "uint32", "LAYR"),
        Field("layers", "uint32", "how many"),
        Field("first_face", "uint32", "FACE: its inputs, then its outputs"),
        Field("inputs", "uint16", "how many"),
        Field("outputs", "uint16", "how many"),
        Field("arena_bytes", "uint32", "bytes of the arena, from its start, that its layers use"),
    ),
)
PROGRAM = FileRecord(
    "program",
    "PROG: what a caller can ask for.",
    (
        Field("kind", "uint32", "1 infer, 2 step, 3 reset, 4 one part of several that make no whole"),
        Field("name", "uint32", "TEXT"),
        Field("first_face", "uint32", "FACE: its inputs, then its outputs"),
        Field("inputs", "uint16", "how many"),
        Field("outputs", "uint16", "how many"),
        Field("first_call", "uint32", "CALL"),
        Field("calls", "uint32", "how many"),
    ),
)
CALL = FileRecord(
    "call",
    "CALL: one thing that a program does.",
    (
        Field("kind", "uint16", "number of the call"),
        Field("from_type", "uint8", "type of the integers that it reads"),
        Field("to_type", "uint8", "type of the integers that it writes"),
        Field("first_argument", "uint32", "ARGS"),
        Field("arguments", "uint32", "how many"),
        Field("subject", "uint32", "see the call"),
        Field("count", "uint32", "see the call"),
        Field("reserved", "uint32", "0"),
        Field("most", "int64", "see the call"),
    ),
)
ARGUMENT = FileRecord(
    "argument",
    "ARGS: a place that a call reads or writes.",
    (
        Field("base", "uint32", "0: the arena; 1 and on: the inputs of the program, then its outputs"),
        Field("offset", "uint32", "bytes from its start"),
        Field("advance", "uint32", "bytes further at every turn of a `repeat` that holds the call"),
        Field("bytes", "uint32", "that are read or written there"),
    ),
)
PACKED = FileRecord(
    "packed",
    "PACK: the section begins with one such entry for each of the weights, the same weights in every layout.",
    (
        Field("offset", "uint64", "bytes from the start of the section, a multiple of 64"),
        Field("bytes", "uint64", "0: these weights are not in this layout"),
    ),
)
GOLDEN = FileRecord(
    "golden",
    "GOLD: the section begins with this record.",
    (
        Field("program", "uint32", "PROG: the program that is tested"),
        Field("vectors", "uint32", "how many"),
        Field("vector_bytes", "uint32", "bytes of one"),
        Field("between_resets", "uint32", "of `step`: before every so many vectors the state is reset; else 1"),
    ),
)
RECORDS = (HEADER, SECTION, FACE, TENSOR, LAYER, PART, PROGRAM, CALL, ARGUMENT, PACKED, GOLDEN)


@dataclass(frozen=True)
class Section:
    """Describe a section: its four letters, its records, if it is a row of them, and what it holds."""

    kind: str
    record: FileRecord | None
    says: str
    needed: bool = True


SECTIONS = (
    Section("TEXT", None, "names: UTF-8, each ended by a NUL; the first byte is NUL, so that 0 is the empty name"),
    Section("CLAS", None, "classes: a uint32 for each, TEXT", needed=False),
    Section("FACE", FACE, "inputs and outputs of programs and parts"),
    Section("TENS", TENSOR, "tensors, of all parts"),
    Section("LAYR", LAYER, "layers, of all parts"),
    Section("PART", PART, "parts"),
    Section("PROG", PROGRAM, "programs"),
    Section("CALL", CALL, "calls, of all programs"),
    Section("ARGS", ARGUMENT, "places, of all calls"),
    Section("CONS", None, "constants that no layout changes, each at a multiple of 8"),
    Section("PACK", None, "weights of specialised kernels, a section for each layout", needed=False),
    Section("GOLD", None, "a few golden vectors", needed=False),
)
