"""Write a model's C: <model>.h, <model>.c, <model>_weights.h/.c and the kernels that it needs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microstage_cbackend.kernels.layouts import fast_files
from microstage_cbackend.kernels.templates import KernelSet
from microstage_cbackend.program.arguments import ROWS
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.model import Model
from microstage_cbackend.writers.api import Api
from microstage_cbackend.writers.constants import Packed, Spans, rows
from microstage_cbackend.writers.input_places import InputPlaces, places_of
from microstage_cbackend.writers.names import CPLUSPLUS, Names, filled, in_comment, quoted
from microstage_cbackend.writers.part_writer import PartWriter
from microstage_cbackend.writers.quantising import shown
from microstage_cbackend.writers.stored_constants import CONDITIONS, binary_line

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
        self.constants = {name: tensor for writer in self.writers for name, tensor in writer.constants.by_name.items()}
        self.api = Api(model, {w.part.name: w for w in self.writers}, max(w.plan.size for w in self.writers))
        self.places = InputPlaces(model, self.writers[0].plan, self.arena_bytes)

    @property
    def constant_bytes(self) -> int:
        """Count the bytes of all constants, of those in several orders once."""
        return sum(constant.bytes for constant in self.constants.values())

    @property
    def headers(self) -> list[str]:
        """Return the headers of the specialised kernels that are used."""
        return sorted({header for writer in self.writers for header in writer.headers})

    @property
    def arena_bytes(self) -> int:
        """Count the bytes of working memory that the caller gives."""
        features = self.model.features
        return max(self.api.arena_bytes, 4 * features.transform if features else 0)

    @property
    def arena_bound(self) -> int:
        """Count the bytes that the busiest layer and the buffers between parts need at least."""
        bound = max(w.plan.bound for w in self.writers) + self.api.between_bytes
        return max(bound, 4 * self.model.features.transform if self.model.features else 0)


def emit(program: WrittenModel, spans: Spans) -> dict[str, str]:
    """Return file name -> text of the library itself; `spans`: where constants lie that are no text of it."""
    name = program.model.name
    files = {
        f"{name}.h": _header(program),
        f"{name}.c": _source(program),
        f"{name}_weights.h": _weights_header(name, program.constants),
        f"{name}_weights.c": _weights_source(name, program.constants, program.headers, spans),
    }
    binary = ["ms_binary.h"] if spans else []
    return files | program.kernels.files(name) | fast_files(*program.headers, *program.api.headers, *binary)


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
        *CPLUSPLUS[0],
        "",
        f"typedef enum {{ {upper}_OK = 0, {upper}_NULL = 1, {upper}_OUT_OF_RANGE = 2 }} {name}_status;",
        "",
        f"/* Working memory: {program.arena_bytes} bytes; the busiest layer alone needs {program.arena_bound}. */",
        f"#define {upper}_ARENA_BYTES {program.arena_bytes}",
        f"typedef struct {{ uint64_t words[{max(program.arena_bytes // 8, 1)}]; }} {name}_arena;",
        "",
        f"typedef struct {{ {name}_arena *arena; }} {name}_ctx;",
        "",
    ]
    lines += [f"{writer.signature()};" for writer in program.writers]
    lines += [*program.api.declarations(), *program.places.declarations()]
    return "\n".join([*lines, "", *CPLUSPLUS[1], "", "#endif", ""])


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
    name = program.model.name
    lines = [f"/* {name}: calls one kernel per layer; see {name}.h. */"]
    lines += [
        f'#include "{name}.h"',
        "",
        "#include <stddef.h>",
        "",
        f'#include "{name}_weights.h"',
        f'#include "{name}_kernels.h"',
    ]
    lines += [f'#include "{header}"' for header in [*program.headers, *program.api.headers]]
    for writer in program.writers:
        lines += ["", writer.signature(), "{", *writer.lines, "}"]
    return "\n".join([*lines, *program.api.definitions(), ""])


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


def _weights_source(model: str, constants: dict[str, Tensor | Packed], headers: list[str], spans: Spans) -> str:
    lines = [f'#include "{model}_weights.h"', *(f'#include "{header}"' for header in headers)]
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
    return "\n".join([*lines, ""])


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
