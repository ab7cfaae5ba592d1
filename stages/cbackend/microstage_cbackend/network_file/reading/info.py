"""Tell in text what is in a network file."""

from __future__ import annotations

import numpy as np

from microstage.process.text_table import table
from microstage_cbackend.network_file.format.numbers import LAYOUTS, PROGRAMS, STAGES
from microstage_cbackend.network_file.format.records import ABSENT, GOLDEN
from microstage_cbackend.network_file.reading.file import NetworkFile
from microstage_cbackend.network_file.reading.layers import kernel_of

__all__ = ["info"]

_PROGRAM_NAMES = {number: name for name, number in PROGRAMS.items()}
_LAYOUT_NAMES = {number: name for name, number in LAYOUTS.items()}
_STAGE_NAMES = {stage.number: stage.name for stage in STAGES}


def info(file: NetworkFile) -> str:
    """Return what a file holds: version, memory, sections, programs with their inputs and outputs, layers."""
    head = file.header
    lines = [
        f"{file.text(int(head['name']))}: network file {head['major']}.{head['minor']}, {head['file_bytes']} bytes, "
        f"arena {head['arena_bytes']} bytes"
    ]
    lines += [f"classes: {', '.join(file.classes)}"] if file.classes else []
    sections = [*((kind, "", len(data)) for kind, data in file.sections.items())]
    sections += [("PACK", _LAYOUT_NAMES.get(layout, str(layout)), len(data)) for layout, data in file.packs.items()]
    lines += [
        "",
        *table(["section", "layout", "bytes"], [[kind, layout, str(size)] for kind, layout, size in sections]),
    ]
    for program in file.rows["PROG"]:
        lines += ["", *_program(file, program)]
    if "GOLD" in file.sections:
        golden = np.frombuffer(file.sections["GOLD"], GOLDEN.dtype, 1)[0]
        lines += ["", f"golden vectors: {golden['vectors']}"]
    for part in file.rows["PART"]:
        lines += ["", *_part(file, part)]
    return "\n".join(lines)


def _program(file: NetworkFile, program: np.void) -> list[str]:
    first, inputs, outputs = (int(program[name]) for name in ("first_face", "inputs", "outputs"))
    rows = [_face(file, face, "in") for face in file.rows["FACE"][first : first + inputs]]
    rows += [_face(file, face, "out") for face in file.rows["FACE"][first + inputs : first + inputs + outputs]]
    title = (
        f"program {_PROGRAM_NAMES[int(program['kind'])]} {file.text(int(program['name']))}: {program['calls']} calls"
    )
    return [title, *table(["name", "", "type", "shape", "range", "scale", "zero point"], rows)] if rows else [title]


def _face(file: NetworkFile, face: np.void, way: str) -> list[str]:
    scale = "" if face["scale"] == ABSENT else " ".join(f"{v:.6g}" for v in file.values(int(face["scale"]))[:3])
    many = face["scale"] != ABSENT and len(file.values(int(face["scale"]))) > 3
    unit = file.text(int(face["unit"]))
    return [
        file.text(int(face["name"])),
        way,
        file.ctype(face["ctype"]),
        "x".join(str(size) for size in face["shape"][: int(face["rank"])]),
        f"{face['low']}..{face['high']}",
        f"{scale}{' ...' if many else ''}{' ' + unit if unit else ''}",
        str(face["zero_point"]),
    ]


def _part(file: NetworkFile, part: np.void) -> list[str]:
    first, count = int(part["first_layer"]), int(part["layers"])
    rows = []
    for number, layer in enumerate(file.rows["LAYR"][first : first + count], 1):
        output = file.rows["TENS"][int(layer["operands"][3])]
        said = f"{output['elements']} {file.ctype(output['ctype'])} in {output['low']}..{output['high']}"
        stage = _STAGE_NAMES[int(layer["stage"])]
        rows.append([f"{number}. {file.text(int(layer['name']))}", kernel_of(layer).name, stage, said])
    title = f"part {file.text(int(part['name']))}: {count} layers, {part['arena_bytes']} bytes"
    return [title, *table(["layer", "kernel", "stage", "writes"], rows)]
