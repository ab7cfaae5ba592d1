"""Our side: the C that stages/cbackend wrote, compiled with given flags and called once per inference."""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microstage.errors import ArtefactError
from microstage.interface.c_names import Names
from microstage.interface.gain import EXPONENT
from microstage_bench.compiling import compile_library
from microstage_bench.ends import End

__all__ = [
    "VARIANTS",
    "Argument",
    "DeclaredFunction",
    "Generated",
    "Variant",
    "caller",
    "declaration",
    "places_of",
    "sources_of",
    "variants_of",
]


@dataclass(frozen=True)
class Variant:
    """One way of compiling the same files; only where a folder holds the header that it `needs`."""

    name: str
    flags: tuple[str, ...]
    needs: str = ""


VARIANTS = (
    Variant("C99", ("-std=c99", "-O3", "-march=native", "-DMS_PORTABLE")),
    Variant("C99 -mavx2", ("-std=c99", "-O3", "-mavx2", "-DMS_PORTABLE")),
    Variant("vector", ("-std=c99", "-O3", "-march=native"), needs="ms_isa.h"),
)
_DECLARED = r"(?P<model>\w+)_{function}\(const (?P=model)_ctx \*ctx,(?P<arguments>[^;]*)\);"
_ARGUMENT = re.compile(r"(const\s+)?(\w+)\s+(\w+)\[(\d+)\]")


@dataclass(frozen=True)
class Argument:
    """`size` numbers of type `kind` (int8_t and so on) that the whole network's function takes or gives; `facts` as
    interface.json has them.
    """

    name: str
    kind: str
    size: int
    facts: Mapping[str, Any]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32 if self.kind == "float" else self.kind.removesuffix("_t"))

    @property
    def filling(self) -> np.ndarray:
        """Numbers within its range."""
        low, high = self.facts.get("range", (0, 99))
        first = max(int(low), min(int(high), 0))
        return (first + np.arange(self.size) * 37 % min(100, int(high) - first + 1)).astype(self.dtype)


@dataclass(frozen=True)
class DeclaredFunction:
    """A function of the whole network as `header` declares it."""

    header: str
    model: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    function: str


def declaration(folder: Path, function: str = "infer") -> DeclaredFunction:
    """Return what a header of `folder` declares of <model>_<function>; `ArtefactError` where none does."""
    known = _interface(folder)
    for header in sorted(folder.glob("*.h")):
        if found := re.search(_DECLARED.format(function=function), header.read_text()):
            text, model = found["arguments"], found["model"]
            inputs, outputs = (_arguments(text, side, known, model) for side in ("inputs", "outputs"))
            return DeclaredFunction(header.name, model, inputs, outputs, function)
    raise ArtefactError(
        f"{folder} has no header that declares <model>_{function}(ctx, input, output):"
        " its parts make no whole, or it holds no C."
    )


def places_of(folder: Path, declared: DeclaredFunction) -> list[str]:
    """Return the functions that give the place of each input in the arena; none where the header has none."""
    if declared.function != "infer":
        return []
    found = re.findall(rf"static inline \w+ \*({declared.model}_\w+_place)\(", (folder / declared.header).read_text())
    return list(dict.fromkeys(found))


def _interface(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "interface.json").read_text()) if (folder / "interface.json").exists() else {}


def _arguments(text: str, side: str, interface: Mapping[str, Any], model: str) -> tuple[Argument, ...]:
    """Return the arguments of one side: those that are constant are inputs; interface.json knows an argument by the
    name in the graph.
    """
    gain, carried = interface.get("gain"), interface.get("sequence", {}).get("carried")
    facts: dict[str, dict[str, Any]] = (
        {EXPONENT: {"range": gain["exponents"]}} if gain and carried and side == "inputs" else {}
    )
    for part in interface.get("parts", {}).values():
        called = Names(model).arguments([*part["inputs"]], [*part["outputs"]])[side == "outputs"]
        facts |= {own: {"name": name, **part[side][name]} for own, name in zip(called, part[side])}
    found = [
        (name, kind, int(size))
        for const, kind, name, size in _ARGUMENT.findall(text)
        if bool(const) == (side == "inputs")
    ]
    only = next(iter(facts.values())) if len(found) == len(facts) == 1 else {}  # C of other versions has other names
    return tuple(Argument(*argument, facts.get(argument[0], only)) for argument in found)


def caller(declared: DeclaredFunction, places: Sequence[str] = ()) -> str:
    """Return C that has context, arena, inputs and outputs standing still: `infer()` passes nothing.

    `places`: functions that give the place of each input in the arena, where they lie there.
    """
    arguments = (*declared.inputs, *declared.outputs)
    numbers = [f"static {a.kind} number_{n}[{a.size}];" for n, a in enumerate(arguments)]
    numbers[: len(places)] = [f"#define number_{n} {place}(&held)" for n, place in enumerate(places)]
    given = ", ".join(["&ctx", *(f"number_{place}" for place in range(len(arguments)))])
    kind, arena = ("memory held", "held.arena") if places else ("arena arena", "arena")
    memory = [f"static {declared.model}_{kind};", f"static const {declared.model}_ctx ctx = {{&{arena}}};"]
    body = ["{", f"    return (int){declared.model}_{declared.function}({given});", "}", ""]
    return "\n".join(
        [f'#include "{declared.header}"', *memory, *numbers, "static __attribute__((noinline)) int infer(void)", *body]
    )


class Generated:
    """A `runtimes.Runtime` over the C in `folder`; its ends are what `interface.json` says, without one the integers
    themselves. Of a network whose answer no graph holds, it is the function of real numbers, unless another
    `function` is asked for.
    """

    def __init__(self, folder: Path, variant: Variant, scratch: Path, function: str = "") -> None:
        usual = "infer_float" if "answer" in _interface(folder) else "infer"
        declared = declaration(folder, function or usual)
        library = _library(folder, declared, variant, scratch)
        self.inputs, self.outputs = [*map(_end, declared.inputs)], [*map(_end, declared.outputs)]
        memory = [_array(library, place, a) for place, a in enumerate((*declared.inputs, *declared.outputs))]
        self.taken, self.given = memory[: len(self.inputs)], memory[len(self.inputs) :]
        self.arena_bytes = int(library.bench_arena_bytes())
        self.call: Callable[[], int] = library.bench_call

    def put(self, values: Sequence[np.ndarray]) -> None:
        for place, value in zip(self.taken, values):
            place[:] = value.ravel()

    def get(self) -> list[np.ndarray]:
        return [values.copy()[None] for values in self.given]


def variants_of(folder: Path) -> list[Variant]:
    """Return the ways of compiling that the C in `folder` has."""
    return [variant for variant in VARIANTS if (folder / variant.needs).exists()]


def sources_of(folder: Path) -> list[Path]:
    """Return the C files that make up the network, without self test and benchmark."""
    return [path for path in sorted(folder.glob("*.c")) if path.stem not in ("selftest", "bench")]


def _library(folder: Path, declared: DeclaredFunction, variant: Variant, scratch: Path) -> ctypes.CDLL:
    work = scratch / f"{folder.name} {variant.name}".replace(" ", "_")
    work.mkdir(parents=True, exist_ok=True)
    count = len(declared.inputs) + len(declared.outputs)
    numbers = [f"void *bench_number_{place}(void) {{ return number_{place}; }}" for place in range(count)]
    ends = [
        "unsigned long bench_arena_bytes(void) { return sizeof arena; }",
        "int bench_call(void) { return infer(); }",
    ]
    (work / "shim.c").write_text(caller(declared) + "\n".join([*numbers, *ends, ""]))
    return compile_library([work / "shim.c", *sources_of(folder)], [*variant.flags, f"-I{folder}"], work / "library.so")


def _end(argument: Argument) -> End:
    facts = argument.facts
    if argument.kind == "float":
        return End(argument.name, (argument.size,), argument.dtype)
    shape = tuple(facts.get("shape", (1, argument.size))[1:])
    shape = shape if np.prod(shape) == argument.size else (argument.size,)
    numbers = (
        np.asarray(facts.get(name, usual), np.float64)
        for name, usual in (("scale", 1.0), ("zero_point", 0.0), ("offset", 0.0))
    )
    return End(facts.get("name", argument.name), shape, argument.dtype, *numbers)


def _array(library: ctypes.CDLL, place: int, argument: Argument) -> np.ndarray:
    """Return memory of the library as an array."""
    function = getattr(library, f"bench_number_{place}")
    function.restype = ctypes.POINTER(getattr(ctypes, f"c_{argument.kind.removesuffix('_t')}"))
    return np.ctypeslib.as_array(function(), shape=(argument.size,))
