"""Simulate every hardware layer of an artefact's graphs beside its golden vectors, and print a table.

`python -m microstage_streamline.simulate ARTEFACT [--hlslib FOLDER] [--integers N]`. Exit code 3 where an integer
differs, 2 where nothing could be simulated.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
from qonnx.core.modelwrapper import ModelWrapper

from microstage.process.text_table import table
from microstage_streamline.finn.estimate import built_of
from microstage_streamline.finn.folding import Folding
from microstage_streamline.finn.hardware import quietly
from microstage_streamline.hand_over.folder import FOLDER
from microstage_streamline.simulate.cpp import WITHOUT_KERNELS, simulate_cpp
from microstage_streamline.simulate.layers import HardwareLayer, layers_of
from microstage_streamline.simulate.rtl import simulate_rtl
from microstage_streamline.simulate.vectors import GraphVectors, vectors_of


def main() -> int:
    """Simulate, print, and return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("artefact", type=Path)
    parser.add_argument("--hlslib", type=Path)
    parser.add_argument("--integers", type=int, default=100_000)
    asked = parser.parse_args()
    counted = json.loads((asked.artefact / "estimates.json").read_text())
    if not counted["parts"]:
        print(f"FINN has no hardware layers for this network: {counted['not_estimated']}")
        return 2
    made = (counted["fpga_part"], counted["clk_ns"], counted["target_cycles"])
    layers = []
    for name, vectors in vectors_of(asked.artefact).items():
        with tempfile.TemporaryDirectory(prefix="microstage-simulate.") as scratch:
            os.environ["FINN_BUILD_DIR"] = scratch
            found = _simulated(name, vectors, Path(scratch), asked, *made)
        print(_table(name, found), flush=True)
        layers += found
    compared, differ = sum(x.integers for x in layers if not x.reason), sum(x.differ for x in layers)
    print(f"\n{compared:,} integers compared, {differ:,} differ; {sum(bool(x.reason) for x in layers)} layers not run")
    return 3 if differ else 0 if compared else 2


def _simulated(
    name: str, vectors: GraphVectors, folder: Path, asked: argparse.Namespace, part: str, clock_ns: float, cycles: int
) -> list[HardwareLayer]:
    """Return every hardware layer of a graph, simulated over as many frames as it takes to compare so many integers."""
    folding = asked.artefact / FOLDER / name.removesuffix("_finn_streamlined") / "folding.json"
    hardware = _hardware(vectors.model, part, cycles, folding)
    one = ModelWrapper(onnx.ModelProto.FromString(hardware.model.SerializeToString()))
    once = _that_run(layers_of(one, vectors.tensors(vectors.inputs(1)), folder / "once"), asked)
    frames = -(-asked.integers // max(1, sum(layer.integers for layer in once)))
    layers = layers_of(hardware, vectors.tensors(vectors.inputs(frames)), folder)
    ready = _that_run(layers, asked)
    cpp, rtl = ([layer for layer in ready if layer.road == road] for road in ("C++", "RTL"))
    if cpp:
        simulate_cpp(cpp, hardware, asked.hlslib, folder)
    if rtl:
        simulate_rtl(rtl, hardware, part, clock_ns, folder)
    return layers


def _hardware(model: ModelWrapper, part: str, cycles: int, folding: Path) -> ModelWrapper:
    """Return FINN's layers of an integer graph, as its builder folds them and gives them types."""
    said = json.loads(folding.read_text()) if folding.exists() else {}
    with quietly():
        return built_of(model, Folding(cycles, said), part).layers


def _that_run(layers: Sequence[HardwareLayer], asked: argparse.Namespace) -> list[HardwareLayer]:
    """Return the layers that can run here; the others are given the reason."""
    lacking = {
        "C++": WITHOUT_KERNELS if asked.hlslib is None else "",
        "RTL": "" if shutil.which("verilator") else "verilator is not on PATH",
    }
    for layer in layers:
        layer.reason = layer.reason or lacking[layer.road]
    return [layer for layer in layers if not layer.reason]


def _table(name: str, layers: Sequence[HardwareLayer]) -> str:
    """Return the table of one graph; what could not run stands below it, by reason."""
    rows = [
        [layer.name, layer.road, f"{layer.integers:,}", f"{layer.differ:,}", f"{layer.seconds:.1f}"]
        for layer in layers
        if not layer.reason
    ]
    reasons = dict.fromkeys(layer.reason for layer in layers if layer.reason)
    not_run = [f"not run: {', '.join(x.name for x in layers if x.reason == why)}: {why}" for why in reasons]
    return "\n".join(["", *table([name, "road", "integers", "differ", "seconds"], rows), *not_run])


if __name__ == "__main__":
    raise SystemExit(main())
