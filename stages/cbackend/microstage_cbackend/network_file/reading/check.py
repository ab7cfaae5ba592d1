"""Check the records of a network file: what they refer to exists, and nothing reaches out of its memory."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.network_file.format.numbers import CALLS, LAYOUTS, PLACES, PROGRAMS, ROUNDINGS
from microstage_cbackend.network_file.format.records import ABSENT, GOLDEN, PACKED
from microstage_cbackend.network_file.reading.check_layers import check_layer
from microstage_cbackend.network_file.reading.file import NetworkFile, damaged, read_container
from microstage_cbackend.network_file.writing.contents import dtype_of
from microstage_cbackend.network_file.writing.pools import ALIGNED, filled_size

__all__ = ["read_network"]

_ARGUMENTS = {"zero": 1, "move": 2, "repeat": 0, "turn": 4, "turn_sum": 5, "forget": 2}
_CALL_NAMES = {number: name for name, (number, _) in CALLS.items()}


def read_network(data: bytes) -> NetworkFile:
    """Return the network file that `data` is; `ArtefactError` in one sentence for any damage."""
    file = read_container(data)
    for label in np.frombuffer(file.sections.get("CLAS", b""), "<u4"):
        file.text(int(label))
    _packs(file)
    for number in range(len(file.rows["TENS"])):
        _tensor(file, number)
    for face in file.rows["FACE"]:
        _face(file, face)
    for number, part in enumerate(file.rows["PART"]):
        _part(file, number, part)
    for program in file.rows["PROG"]:
        _program(file, program)
    _golden(file)
    return file


def _inside(what: str, first: int, count: int, size: int) -> None:
    """Raise where `count` records from `first` on are not among `size`."""
    if first + count > size:
        raise damaged(f"{what} are {first}..{first + count - 1}, of {size}")


def _packs(file: NetworkFile) -> None:
    """Check that every layout has an entry for each of the weights, and bytes for it inside its section."""
    if not file.packs:
        return
    rows = file.packs.get(LAYOUTS["rows"])
    if rows is None:
        raise damaged("it has packed weights, and none in rows")
    count = 1 + max((int(t["offset"]) for t in file.rows["TENS"] if t["place"] == PLACES["packed"]), default=-1)
    for layout, section in file.packs.items():
        _inside(f"bytes of the entries of PACK {layout}", 0, count * PACKED.size, len(section))
        for entry in np.frombuffer(section, PACKED.dtype, count):
            if int(entry["offset"]) % ALIGNED:
                raise damaged(f"weights of PACK {layout} lie at no multiple of {ALIGNED}")
            _inside(f"bytes of weights in PACK {layout}", int(entry["offset"]), int(entry["bytes"]), len(section))


def _tensor(file: NetworkFile, number: int) -> None:
    record = file.rows["TENS"][number]
    file.text(int(record["name"]))
    place, start = int(record["place"]), int(record["offset"])
    count = int(record["elements"]) * dtype_of(file.ctype(record["ctype"])).itemsize
    if place == PLACES["packed"]:
        if not file.packs or len(file.packed(start, "rows")) != count:
            raise damaged(f"tensor {number} has {count} bytes, and its packed weights have others")
    elif place in (PLACES["arena"], PLACES["constant"]):
        size = int(file.header["arena_bytes"]) if place == PLACES["arena"] else len(file.sections["CONS"])
        if start % 8:
            raise damaged(f"tensor {number} lies at byte {start}, no multiple of 8")
        _inside(f"bytes of tensor {number}", start, count, size)
    elif place != PLACES["argument"]:
        raise damaged(f"tensor {number} lies at the place {place}, which there is not")


def _face(file: NetworkFile, face: np.void) -> None:
    name = file.text(int(face["name"]))
    for at in (face["of"], face["unit"]):
        file.text(int(at))
    file.ctype(face["ctype"])
    shape = face["shape"][: int(face["rank"])].astype(object)
    if int(face["rank"]) > len(face["shape"]) or int(np.prod(shape)) != int(face["elements"]) or not face["elements"]:
        raise damaged(f"{name} has {face['elements']} elements, and another shape")
    if not face["elements_of_step"] or int(face["elements"]) % int(face["elements_of_step"]):
        raise damaged(f"{name} has {face['elements']} elements and steps of {face['elements_of_step']}")
    if int(face["rounding"]) not in (0, *ROUNDINGS.values()):
        raise damaged(f"{name} is rounded in way {face['rounding']}, which there is not")
    for what in ("scale", "offset", "thresholds"):
        _doubles(file, f"{what} of {name}", int(face[what]), int(face[f"{what}_inner"]))


def _doubles(file: NetworkFile, what: str, tensor: int, inner: int) -> None:
    if tensor == ABSENT:
        return
    _inside(f"tensors of the {what}", tensor, 1, len(file.rows["TENS"]))
    record = file.rows["TENS"][tensor]
    if file.ctype(record["ctype"]) != "double" or record["place"] != PLACES["constant"] or not inner:
        raise damaged(f"the {what} is no constant of float64")


def _part(file: NetworkFile, number: int, part: np.void) -> None:
    name = file.text(int(part["name"]))
    arguments = int(part["inputs"]) + int(part["outputs"])
    _inside(f"faces of part {name}", int(part["first_face"]), arguments, len(file.rows["FACE"]))
    _inside(f"layers of part {name}", int(part["first_layer"]), int(part["layers"]), len(file.rows["LAYR"]))
    _inside(f"bytes of part {name}", 0, int(part["arena_bytes"]), int(file.header["arena_bytes"]))
    for layer in file.rows["LAYR"][int(part["first_layer"]) :][: int(part["layers"])]:
        check_layer(file, part, layer)


def _program(file: NetworkFile, program: np.void) -> None:
    name, faces = file.text(int(program["name"])), int(program["inputs"]) + int(program["outputs"])
    if int(program["kind"]) not in PROGRAMS.values():
        raise damaged(f"program {name} is of kind {program['kind']}, which there is not")
    _inside(f"faces of program {name}", int(program["first_face"]), faces, len(file.rows["FACE"]))
    first, count = int(program["first_call"]), int(program["calls"])
    _inside(f"calls of program {name}", first, count, len(file.rows["CALL"]))
    sizes = [int(file.header["arena_bytes"])]
    for face in file.rows["FACE"][int(program["first_face"]) :][:faces]:
        sizes.append(int(face["elements"]) * dtype_of(file.ctype(face["ctype"])).itemsize)
    turns, left = 1, 0
    for call in file.rows["CALL"][first : first + count]:
        turns = turns if left else 1
        left = max(0, left - 1)
        if call["kind"] == CALLS["repeat"][0]:
            if left or not call["count"]:
                raise damaged(f"program {name} repeats within a repeat, or no times")
            turns, left = int(call["count"]), int(call["subject"])
        _call(file, name, program, call, sizes, turns)
    if left:
        raise damaged(f"program {name} ends within a repeat")


def _call(file: NetworkFile, name: str, program: np.void, call: np.void, sizes: list[int], turns: int) -> None:
    """Check one call: its arguments lie inside their bases to the last turn, and have the bytes that it takes."""
    if int(call["kind"]) not in _CALL_NAMES:
        raise damaged(f"program {name} has a call {call['kind']}, which there is not")
    kind, first, count = _CALL_NAMES[int(call["kind"])], int(call["first_argument"]), int(call["arguments"])
    _inside(f"places of program {name}", first, count, len(file.rows["ARGS"]))
    arguments = file.rows["ARGS"][first : first + count]
    for argument in arguments:
        base = int(argument["base"])
        _inside(f"bases of program {name}", base, 1, len(sizes))
        last = int(argument["offset"]) + (turns - 1) * int(argument["advance"])
        _inside(f"bytes of a place of program {name}", last, int(argument["bytes"]), sizes[base])
    needed = _needed(file, name, kind, call, arguments)
    if [int(argument["bytes"]) for argument in arguments] != needed:
        raise damaged(f"a {kind} of program {name} has places of other bytes than it takes")


def _needed(file: NetworkFile, name: str, kind: str, call: np.void, arguments: np.ndarray) -> list[int]:
    """Return the bytes that each argument of a call has."""
    if kind == "run":
        _inside(f"parts of program {name}", int(call["subject"]), 1, len(file.rows["PART"]))
        part = file.rows["PART"][int(call["subject"])]
        faces = file.rows["FACE"][int(part["first_face"]) :][: int(part["inputs"]) + int(part["outputs"])]
        return [int(face["elements"]) * dtype_of(file.ctype(face["ctype"])).itemsize for face in faces]
    if kind == "zero":
        return [int(argument["bytes"]) for argument in arguments[:1]]
    if kind == "repeat":
        return []
    read, written = (dtype_of(file.ctype(call[f"{which}_type"])).itemsize for which in ("from", "to"))
    count, subject = int(call["count"]), int(call["subject"])
    if kind in ("turn_sum", "forget") and not (subject and count):
        raise damaged(f"a {kind} of program {name} has no integers")
    return {
        "move": [count * read, count * written],
        "turn": [count * read, count * read, 1, 1],
        "turn_sum": [count * read, count * read, 1, 1, subject * written],
        "forget": [count * read, subject * written],
    }[kind]


def _golden(file: NetworkFile) -> None:
    """Check that the golden vectors have the bytes of their program's inputs and outputs."""
    section = file.sections.get("GOLD", b"")
    if not section:
        return
    if len(section) < GOLDEN.size:
        raise damaged("section GOLD is shorter than its record")
    head = np.frombuffer(section, GOLDEN.dtype, 1)[0]
    _inside("programs of GOLD", int(head["program"]), 1, len(file.rows["PROG"]))
    program = file.rows["PROG"][int(head["program"])]
    faces = file.rows["FACE"][int(program["first_face"]) :][: int(program["inputs"]) + int(program["outputs"])]
    each = sum(filled_size(int(f["elements"]) * dtype_of(file.ctype(f["ctype"])).itemsize, 8) for f in faces)
    if int(head["vector_bytes"]) != each or GOLDEN.size + int(head["vectors"]) * each != len(section):
        raise damaged("section GOLD has other bytes than its vectors")
