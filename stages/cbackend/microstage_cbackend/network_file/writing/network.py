"""Write a model as a network file."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from microstage_cbackend.network_file.format.numbers import LAYOUTS
from microstage_cbackend.network_file.format.records import HEADER, MAGIC, SECTION, VERSION
from microstage_cbackend.network_file.reading.file import NetworkFile
from microstage_cbackend.network_file.writing.cell_programs import cell_alone, cell_between
from microstage_cbackend.network_file.writing.contents import Contents
from microstage_cbackend.network_file.writing.faces import add_face
from microstage_cbackend.network_file.writing.golden import few, golden_section, of_answers
from microstage_cbackend.network_file.writing.parts import PartRecords
from microstage_cbackend.network_file.writing.pools import ALIGNED, filled_up
from microstage_cbackend.network_file.writing.programs import ProgramEnd, ProgramRecords
from microstage_cbackend.network_file.writing.spans import spans_of
from microstage_cbackend.network_file.writing.step_programs import all_at_every_step
from microstage_cbackend.program.ir import Part
from microstage_cbackend.program.memory import MemoryPlan
from microstage_cbackend.program.model import Model, SteppedModel
from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.writers.constants import Spans

__all__ = ["WrittenFile", "assembled", "network_file", "with_golden", "with_layouts", "written_file"]

_SAID = ("arena_bytes", "name", "classes")
"Fields of the header that say what is in the file."
Sections = Sequence[tuple[str, int, bytes]]


class WrittenFile(NamedTuple):
    """Hold the bytes of a network file, and where in it the constants of the model lie."""

    data: bytes
    spans: Spans


def network_file(model: Model, memory: Mapping[str, MemoryPlan], plan: Plan | None = None) -> bytes:
    """Return the bytes of `written_file`."""
    return written_file(model, memory, plan).data


def written_file(model: Model, memory: Mapping[str, MemoryPlan], plan: Plan | None = None) -> WrittenFile:
    """Return the file of `model`, whose parts lie in `memory` by name, with weights in all layouts.

    With a `plan` of checks it holds golden vectors too, where the parts make a whole.
    """
    contents = Contents()
    name = contents.names.at(model.name)
    contents.classes = [contents.names.at(label) for label in model.classes]
    layers = {part.name: PartRecords(contents, part, memory[part.name]) for part in model.parts}
    numbers = {part.name: _part(contents, model, part, layers[part.name]) for part in model.parts}
    records = ProgramRecords(contents, model, numbers, max(each.size for each in memory.values()))
    _programs(records, model)
    if plan and model.ends:
        columns = of_answers(model.ends, plan)
        contents.golden = golden_section(columns, 0, few(columns))
    header = {"arena_bytes": records.arena_bytes, "name": name, "classes": len(model.classes)}
    data = assembled(header, contents.sections([*LAYOUTS]))
    return WrittenFile(data, spans_of(data, {t: n for records in layers.values() for t, n in records.numbers.items()}))


def _part(contents: Contents, model: Model, part: Part, layers: PartRecords) -> int:
    """Return the number of `part` after writing it."""
    facts = model.facts(part)
    ends = [*((t.name, t) for t in part.inputs), *zip(part.output_names, part.outputs)]
    faces = [add_face(contents, name, tensor, facts.get(name, {})) for name, tensor in ends]
    return contents.add(
        "PART",
        name=contents.names.at(part.name),
        first_layer=layers.first,
        layers=layers.count,
        first_face=faces[0],
        inputs=len(part.inputs),
        outputs=len(part.outputs),
        arena_bytes=layers.arena_bytes,
    )


def _programs(records: ProgramRecords, model: Model) -> None:
    """Write what a caller can ask for: a whole where the parts make one, else each part by itself."""
    recurrent, ends = model.recurrent, model.ends
    if isinstance(recurrent, SteppedModel) and ends:
        all_at_every_step(records, recurrent, model.name)
    elif recurrent is not None and recurrent.head and not isinstance(recurrent, SteppedModel):
        cell_between(records, recurrent, recurrent.head, model.name)
    else:
        for part in model.parts:
            if part.states and not isinstance(recurrent, SteppedModel):
                cell_alone(records, part)
            else:
                _alone(records, part, "infer" if ends else "part")


def _alone(records: ProgramRecords, part: Part, kind: str) -> None:
    """Write the program that is one run of `part`."""
    inputs = [ProgramEnd(t.name, t) for t in part.inputs]
    outputs = [ProgramEnd(name, t) for name, t in zip(part.output_names, part.outputs)]
    (taken, given), first = records.places(inputs, outputs), records.calls
    records.run(part, [*taken.values()], [*given.values()])
    records.program(kind, part.name, inputs, outputs, (first, records.calls))


def with_layouts(file: NetworkFile, layouts: Sequence[str]) -> bytes:
    """Return a file that was read, with weights in rows and these `layouts`."""
    kept = {LAYOUTS[layout] for layout in ("rows", *layouts)}
    sections = [(kind, 0, data) for kind, data in file.sections.items()]
    sections += [("PACK", layout, data) for layout, data in file.packs.items() if layout in kept]
    return assembled({name: int(file.header[name]) for name in _SAID}, sections)


def with_golden(file: NetworkFile, section: bytes) -> bytes:
    """Return a file that was read, with other golden vectors."""
    sections = [(kind, 0, data) for kind, data in file.sections.items() if kind != "GOLD"]
    sections += [*(("PACK", layout, data) for layout, data in file.packs.items()), ("GOLD", 0, section)]
    return assembled({name: int(file.header[name]) for name in _SAID}, sections)


def assembled(header: Mapping[str, int], sections: Sections) -> bytes:
    """Return the whole file: header, table, sections, digest. `header`: the fields that say what is in it."""
    start = HEADER.size + SECTION.size * len(sections)
    table, data, at = np.zeros(len(sections), SECTION.dtype), [], start + -start % ALIGNED
    for entry, (kind, layout, section) in zip(table, sections):
        entry["kind"], entry["layout"], entry["offset"] = np.frombuffer(kind.encode(), np.uint8), layout, at
        entry["bytes"], entry["crc"] = len(section), zlib.crc32(section)
        data.append(filled_up(section, ALIGNED))
        at += len(data[-1])
    first = np.zeros((), HEADER.dtype)
    first["magic"] = np.frombuffer(MAGIC, np.uint8)
    first["major"], first["minor"] = VERSION
    first["header_bytes"], first["sections"], first["file_bytes"] = HEADER.size, len(sections), at + 32
    for name, value in header.items():
        first[name] = value
    first["crc"] = zlib.crc32(first.tobytes() + table.tobytes())
    whole = filled_up(first.tobytes() + table.tobytes(), ALIGNED) + b"".join(data)
    return whole + sha256(whole).digest()
