"""The tables of `make footprint`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from microstage_bench import memory
from microstage_bench.aims import FLASH_OF_8_BITS
from microstage_bench.footprint.by_layer import CountedLayer
from microstage_bench.footprint.firmware import Build, Footprint
from microstage_bench.names import WIDTHS
from microstage_bench.subject import Subject
from microstage_bench.tables import table, without_empty
from microstage_bench.write_models import network_named

__all__ = ["Measured", "against", "beside", "layers_of", "measured_table", "widths"]

Measured = Mapping[Build, Footprint]

_CYCLES = "cycles: modelled, zero wait states"
_HEADER = ("machine", "flash", "of it constants", "RAM with stack", "of it arena", "stack", "instructions", _CYCLES)
_AGAINST = {
    "flash": lambda f: f.flash,
    "RAM with stack": lambda f: f.ram,
    "instructions": lambda f: f.instructions,
    _CYCLES: lambda f: f.cycles,
}
_BESIDE = ("network", "C, {}: flash", "RAM", "tflm: .tflite + interpreter", "RAM", ".onnx + runtime")


def measured_table(name: str, builds: Sequence[Build], measured: Measured) -> str:
    """Return a row per build: what was measured, or what has to be installed."""
    rows = []
    for build in builds:
        what = [f"{build.compiler} {build.level}", build.machine.name]
        if build not in measured:
            rows.append([*what, build.missing, *[""] * (len(_HEADER) - 2)])
            continue
        f = measured[build]
        numbers = (f.flash, f.constants, f.ram, f.arena, f.stack, f.instructions, f.cycles)
        rows.append([*what, *(f"{n:,}" if n else "" for n in numbers)])
    return table((name, *_HEADER), rows)


def against(name: str, ours: Measured, theirs: Measured) -> str:
    """Return a row per build: what CMSIS-NN takes, and our figure over it."""
    rows = []
    for build, f in theirs.items():
        row = [f"{build.compiler} {build.level}", build.machine.name]
        for figure in _AGAINST.values():
            own, other = figure(ours[build]), figure(f)
            row += [f"{other:,}", f"{own / other:.2f}"] if other else ["", ""]
        rows.append(row)
    columns = [column for what in _AGAINST for column in (what, "ours / theirs")]
    return without_empty((f"{name} on CMSIS-NN", "machine", *columns), rows)


def layers_of(name: str, layers: Sequence[CountedLayer], spent: Mapping[Build, Sequence[int]]) -> str:
    """Return a row per layer: its products, and on each machine its instructions, in brackets per product."""
    several = len({layer.function for layer in layers}) > 1
    rows = []
    for n, layer in enumerate(layers):
        counts = [found[n] for found in spent.values()]
        if any(counts):
            called = f"{layer.function}: {layer.name}" if several else layer.name
            rows.append([called, f"{layer.products:,}", *(_per_product(count, layer.products) for count in counts)])
    head = [f"{build.machine.name}, {build.compiler} {build.level}" for build in spent]
    return table((f"{name}, layer", "products", *head), rows)


def _per_product(instructions: int, products: int) -> str:
    return f"{instructions:,} ({instructions / products:.2f})" if products else f"{instructions:,}"


def beside(subjects: Sequence[Subject], build: Build, found: Mapping[str, Footprint]) -> str:
    """Return a row per network: its C in one build beside the files of other runtimes."""
    header = [text.format(build) for text in _BESIDE]
    return without_empty(header, [_files(subject, found[subject.name]) for subject in subjects])


def _files(subject: Subject, f: Footprint) -> list[str]:
    """Return ours, .tflite with its arena, .onnx."""
    tflite = (
        [f"{subject.tflite.stat().st_size:,}", f"{memory.smallest_arena(subject.tflite.read_bytes()):,} + stack"]
        if subject.tflite
        else ["", ""]
    )
    onnx = f"{subject.onnx.stat().st_size:,}" if subject.onnx else ""
    return [subject.name, f"{f.flash:,}", f"{f.ram:,}", *tflite, onnx]


def widths(found: Mapping[str, Footprint]) -> str:
    """Return a table: the flash of one network by the width of its weights."""
    rows, bare = [], memory.constants_alone(network_named(WIDTHS[8]))
    for bits, name in WIDTHS.items():
        f = found[name]
        ratios = (f"{f.flash / of:.3f}" for of in (found[WIDTHS[8]].flash, bare))
        rows.append([bits, f"{f.constants:,}", f"{f.flash:,}", *ratios, FLASH_OF_8_BITS.get(bits, "")])
    alone = f"of int8 weights and int32 biases alone ({bare:,})"
    return table(("bits per weight", "constants", "flash", "of the 8-bit form", alone, "aim"), rows)
