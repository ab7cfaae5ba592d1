"""Our side: the C that stages/cbackend wrote, compiled with given flags and called once per inference."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage.benchmarks.compiling import compile_library
from microstage.errors import ArtefactError

__all__ = ["VARIANTS", "Generated", "Variant", "declaration", "sources_of"]


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

# Context, arena, input and output are static, so that a call from Python passes nothing.
_SHIM = """#include "{header}"
static {model}_arena arena;
static const {model}_ctx ctx = {{&arena}};
static {source} input[{source_size}];
static {answer} output[{answer_size}];
unsigned long bench_arena_bytes(void) {{ return sizeof arena; }}
void *bench_input(void) {{ return input; }}
void *bench_output(void) {{ return output; }}
int bench_call(void) {{ return (int){model}_infer(&ctx, input, output); }}
"""
_DECLARATION = re.compile(
    r"(?P<model>\w+)_infer\(const (?P=model)_ctx \*ctx,"
    r"\s*const\s+(?P<source>\w+)\s+\w+\[(?P<source_size>\d+)\],\s*(?P<answer>\w+)\s+\w+\[(?P<answer_size>\d+)\]\)"
)


class Generated:
    """A `runtimes.Runtime` over the C in `folder`, whose header declares one `<model>_infer(ctx, input, output)`.

    Put and get arrays in the order of the C: images as the graph has them, whatever the network.
    """

    def __init__(self, folder: Path, variant: Variant, scratch: Path) -> None:
        declared = declaration(folder)
        library = _library(folder, declared, variant, scratch)
        self.source = _array(library.bench_input, declared["source"], int(declared["source_size"]))
        self.answer = _array(library.bench_output, declared["answer"], int(declared["answer_size"]))
        self.arena_bytes = int(library.bench_arena_bytes())
        self.call: Callable[[], int] = library.bench_call

    def put(self, inputs: Mapping[str, np.ndarray]) -> None:
        (value,) = inputs.values()
        self.source[:] = value.ravel()

    def get(self) -> np.ndarray:
        return self.answer.copy()[None]


def sources_of(folder: Path) -> list[Path]:
    """The C files that make up the network, without self test and benchmark."""
    return [path for path in sorted(folder.glob("*.c")) if path.stem not in ("selftest", "bench")]


def _library(folder: Path, declared: Mapping[str, str], variant: Variant, scratch: Path) -> ctypes.CDLL:
    work = scratch / f"{folder.name} {variant.name}".replace(" ", "_")
    work.mkdir(parents=True, exist_ok=True)
    (work / "shim.c").write_text(_SHIM.format(**declared))
    return compile_library([work / "shim.c", *sources_of(folder)], [*variant.flags, f"-I{folder}"], work / "library.so")


def declaration(folder: Path) -> dict[str, str]:
    """Names, types and sizes of the whole network's function."""
    for header in sorted(folder.glob("*.h")):
        found = _DECLARATION.search(header.read_text())
        if found:
            return {"header": header.name, **found.groupdict()}
    raise ArtefactError(f"{folder} has no header that declares <model>_infer(ctx, input, output); run the cbackend stage again.")


def _array(function: Callable[[], int], kind: str, size: int) -> np.ndarray:
    """Memory of the library as an array of `kind` (int8_t and so on)."""
    element = getattr(ctypes, f"c_{kind.removesuffix('_t')}")
    function.restype = ctypes.POINTER(element)
    return np.ctypeslib.as_array(function(), shape=(size,))
