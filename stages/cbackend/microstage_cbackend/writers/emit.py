"""Write a model's C: <model>.h, <model>.c, <model>_weights.h/.c and the kernels that it needs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microstage_cbackend.kernels.layouts import ROWS, fast_files
from microstage_cbackend.kernels.templates import KernelSet
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.model import Model
from microstage_cbackend.writers.api import KEPT, Api
from microstage_cbackend.writers.constants import Packed, Spans, rows
from microstage_cbackend.writers.input_places import InputPlaces, places_of
from microstage_cbackend.writers.machines import SMALL_MACHINE, Lowering, by_machine, constants_of, parts_bytes
from microstage_cbackend.writers.names import CPLUSPLUS, Names, filled, in_comment, quoted
from microstage_cbackend.writers.part_writer import PartWriter
from microstage_cbackend.writers.quantising import shown
from microstage_cbackend.writers.stored_constants import CONDITIONS, binary_line, lies_in_text

__all__ = ["WrittenModel", "emit"]

_NETWORK_NAMES = (
    "arena memory ctx status stream stream_reset infer infer_float push state state_reset settle infer_step reset"
    " push_int16 stream_int16 reset_int16 follower follow_start follow"
).split()
"Behind the network's name: types and functions that no constant may be called as."


class WrittenModel:
    """Hold the written parts of a model, their constants and the size of its arena."""

    def __init__(self, model: Model) -> None:
        self.model, self.kernels = model, KernelSet()
        constants = Names()
        for said in _NETWORK_NAMES:
            constants.fresh(f"{model.name}_{said}")
        for place in places_of(model).values():
            constants.fresh(place)
        for part in model.parts:
            for said in ("", "_state", "_reset", "_steps"):
                constants.fresh(f"{model.name}_{part.name}{said}")
        self.writers = [PartWriter(model.name, part, self.kernels, constants) for part in model.parts]
        self.small_kernels = KernelSet()
        self.small = self._small_writers(constants)
        begins = None if self.small else parts_bytes(self.writers)
        self.api = Api(model, {w.part.name: w for w in self.writers}, begins)
        self.machines = self._machines()
        self.places = InputPlaces(model, self.machines)

    def _small_writers(self, free: Names) -> list[PartWriter]:
        """Return the writers of all parts for small machines; none where those run what others run."""
        if not any(part.small for part in self.model.parts) or not lies_in_text(constants_of(self.writers)):
            return []
        name, kernels = self.model.name, self.small_kernels
        return [PartWriter(name, w.part.small or w.part, kernels, free, w) for w in self.writers]

    def _machines(self) -> list[Lowering]:
        """Return what the network takes of machines: of the one that all run, or of others and of small ones."""
        least = 4 * self.model.features.transform if self.model.features else 0
        kept = self.api.kept_bytes
        if not self.small:
            return [Lowering("all machines", self.writers, kept, least)]
        return [
            Lowering("other machines", self.writers, kept, least),
            Lowering("small machines", self.small, kept, least),
        ]

    @property
    def constants(self) -> dict[str, Tensor | Packed]:
        """Return the constants of all machines by name."""
        return constants_of(self.writers) | constants_of(self.small)

    @property
    def headers(self) -> list[str]:
        """Return the headers of the specialised kernels that are used."""
        return sorted({header for machine in self.machines for header in machine.headers})


def emit(program: WrittenModel, spans: Spans) -> dict[str, str]:
    """Return file name -> text of the library itself; `spans`: where constants lie that are no text of it."""
    name = program.model.name
    files = {
        f"{name}.h": _header(program),
        f"{name}.c": _source(program),
        f"{name}_weights.h": _weights_header(name, program.constants),
        f"{name}_weights.c": _weights_source(program, spans),
    }
    headers = [*program.headers, *program.api.headers, *(["ms_binary.h"] if spans else [])]
    if program.small:
        files[f"{name}_small.c"] = _small_source(program)
        files |= program.small_kernels.files(f"{name}_small")
        headers += ["ms_machine.h"]
    return files | program.kernels.files(name) | fast_files(*headers)


def _header(program: WrittenModel) -> str:
    name, upper = program.model.name, program.model.name.upper()
    lines = [
        f"/* {name}: a quantised network in integers. C99, no allocation, no recursion, no written globals.",
        " *",
        " * The caller gives working memory in a context; no state survives in it, and one arena per thread makes all",
        " * calls reentrant. Inputs and outputs are dense arrays and must not overlap. value = scale * (integer - "
        "zero point) + offset:",
        *_contract(program.model),
        *_missing(program.model),
        " */",
        f"#ifndef {upper}_H",
        f"#define {upper}_H",
        "",
        "#include <stdint.h>",
        "",
        *(['#include "ms_machine.h"', ""] if program.small else []),
        *CPLUSPLUS[0],
        "",
        f"typedef enum {{ {upper}_OK = 0, {upper}_NULL = 1, {upper}_OUT_OF_RANGE = 2 }} {name}_status;",
        "",
        *by_machine(*(_arena(upper, machine) for machine in program.machines)),
        f"typedef struct {{ uint64_t words[({upper}_ARENA_BYTES + 7) / 8]; }} {name}_arena;",
        "",
        f"typedef struct {{ {name}_arena *arena; }} {name}_ctx;",
        "",
    ]
    lines += [f"{writer.signature()};" for writer in program.writers]
    lines += [*program.api.declarations(), *program.places.declarations()]
    return "\n".join([*lines, "", *CPLUSPLUS[1], "", "#endif", ""])


def _arena(upper: str, machine: Lowering) -> list[str]:
    return [
        f"/* Working memory: {machine.arena_bytes} bytes; the busiest layer alone needs {machine.arena_bound}. */",
        f"#define {upper}_ARENA_BYTES {max(machine.arena_bytes, 8)}",
    ]


def _contract(model: Model) -> list[str]:
    lines = []
    for part in model.parts:
        facts = model.facts(part)
        names = [*((t.name, t) for t in part.inputs), *zip(part.output_names, part.outputs)]
        for name, tensor in names:
            known = facts.get(name, {})
            text = f" *   {part.name}.{quoted(name)} {list(tensor.shape)}: {tensor.low}..{tensor.high}"
            text += f", scale {shown(known['scale'], tensor.shape)}" if known.get("scale") is not None else ""
            text += f", zero point {known['zero_point']}" if known.get("zero_point") else ""
            text += f", offset {shown(known['offset'], tensor.shape)}" if known.get("offset") else ""
            lines.append(text + (f", unit {in_comment(known['unit'])}" if known.get("unit") else ""))
    return lines


def _missing(model: Model) -> list[str]:
    """Return what is not computed, in lines of a comment."""
    if not model.missing:
        return []
    lines = [line for found in model.missing for line in filled(in_comment(found), " *   ", " *   ")]
    return [
        " *",
        " * NOT THE WHOLE NETWORK: it was cut short, and these operators, and what follows them, are not computed "
        "here:",
        *lines,
    ]


def _source(program: WrittenModel) -> str:
    name, machine = program.model.name, program.machines[0]
    lines = [f"/* {name}: calls one kernel per layer; see {name}.h. */"]
    lines += [f'#include "{name}.h"', "", "#include <stddef.h>", "", *_included(*program.api.headers)]
    functions = by_machine([*_kernels(name, name, machine), *_functions(machine)], [] if program.small else None)
    kept = by_machine(*([f"enum {{ {KEPT} = {parts_bytes(m.writers)} }};"] for m in program.machines))
    kept = ["", "/* Where in the arena begins what is kept between parts. */", *kept] if program.api.kept_bytes else []
    return "\n".join([*lines, *functions, *(kept if program.small else []), *program.api.definitions(), ""])


def _small_source(program: WrittenModel) -> str:
    name, machine = program.model.name, program.machines[1]
    lines = [f"/* {name} on small machines: calls one kernel per layer; see {name}.h. */", f'#include "{name}.h"', ""]
    lines += [f"#if {SMALL_MACHINE}", "#include <stddef.h>", ""]
    return "\n".join([*lines, *_kernels(name, f"{name}_small", machine), *_functions(machine), "", "#endif", ""])


def _kernels(name: str, kernels: str, machine: Lowering) -> list[str]:
    """Return the lines that include constants and `kernels`."""
    return _included(f"{name}_weights.h", f"{kernels}_kernels.h", *machine.headers)


def _included(*headers: str) -> list[str]:
    return [f'#include "{header}"' for header in headers]


def _functions(machine: Lowering) -> list[str]:
    return [line for w in machine.writers for line in ["", w.signature(), "{", *w.lines, "}"]]


def _weights_header(model: str, constants: dict[str, Tensor | Packed]) -> str:
    guard = f"{model.upper()}_WEIGHTS_H"
    lines = [
        "/* Constants, in the smallest standard type that holds each array. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
    ]
    lines += ["#include <stdint.h>", ""]
    for name, c in constants.items():
        t, size = (c.tensor, "") if isinstance(c, Packed) else (c, c.size)
        lines.append(f"extern const {t.ctype} {name}[{size}]; /* {list(t.shape)}, {t.low}..{t.high} */")
    return "\n".join([*lines, "", "#endif", ""])


def _weights_source(program: WrittenModel, spans: Spans) -> str:
    model, (machine, *small) = program.model.name, program.machines
    lines = _included(f"{model}_weights.h", *program.headers)
    if not small:
        return "\n".join([*lines, *_definitions(model, machine.constants, spans), ""])
    ours, theirs = small[0].constants, machine.constants
    lines += _definitions(model, {name: c for name, c in theirs.items() if name in ours}, spans)
    alone = ({name: c for name, c in a.items() if name not in b} for a, b in ((theirs, ours), (ours, theirs)))
    lines += ["", *by_machine(*(_definitions(model, constants, spans) for constants in alone))]
    return "\n".join([*lines, ""])


def _definitions(model: str, constants: Mapping[str, Tensor | Packed], spans: Spans) -> list[str]:
    """Return the lines that define `constants`, those in the network file last."""
    lines: list[str] = []
    stored: list[str] = []
    for name, c in constants.items():
        tensor = c.tensor if isinstance(c, Packed) else c
        if tensor in spans:
            stored += ["", *_by_order({o: [binary_line(name, model, s)] for o, s in spans[tensor].items()})]
        elif isinstance(c, Packed):
            lines += ["", *_by_order({o: _definition(name, tensor, v, _aligned(o)) for o, v in c.forms.items()})]
        else:
            lines += ["", *_definition(name, c, np.asarray(c.data), " MS_ALIGNED" if c.ctype == "uint64_t" else "")]
    if stored:
        lines += ["", "#if defined MS_ARRAYS", f'#include "{model}_arrays.h"', "#else", '#include "ms_binary.h"']
        lines += [*stored, "", "#endif"]
    return lines


def _aligned(order: str) -> str:
    return "" if order == ROWS else " MS_ALIGNED"


def _by_order(texts: Mapping[str, list[str]]) -> list[str]:
    """Return lines of which the compiler takes those for the order that its instructions read; rows else."""
    lines = texts[ROWS]
    for order, more in texts.items():
        if order != ROWS:
            lines = [f"#if {CONDITIONS[order]}", *more, "#else", *lines, "#endif"]
    return lines


def _definition(name: str, tensor: Tensor, values: np.ndarray, attribute: str = "") -> list[str]:
    flat = values.ravel()
    return [
        f"const {tensor.ctype} {name}[{flat.size}]{attribute} = {{ /* {quoted(tensor.name)} {list(tensor.shape)} */",
        *rows(flat),
        "};",
    ]
