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
from itertools import chain
from pathlib import Path

import onnx
from qonnx.core.modelwrapper import ModelWrapper

from microstage.process.progress import progress
from microstage_streamline.finn.estimate import Built, built_of
from microstage_streamline.finn.folding import Folding
from microstage_streamline.finn.hardware import quietly
from microstage_streamline.hand_over.folder import FOLDER
from microstage_streamline.simulate.cpp import WITHOUT_KERNELS, check_cpp, simulate_cpp
from microstage_streamline.simulate.layers import HardwareLayer, layers_of
from microstage_streamline.simulate.rtl import check_rtl, simulate_rtl
from microstage_streamline.simulate.tables import of_all, of_graph
from microstage_streamline.simulate.vectors import GraphVectors, tensors, vectors_of


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
    graphs = {}
    for name, vectors in vectors_of(asked.artefact).items():
        with tempfile.TemporaryDirectory(prefix="microstage-simulate.") as scratch:
            os.environ["FINN_BUILD_DIR"] = scratch
            graphs[name] = _simulated(name, vectors, Path(scratch), asked, *made)
        print(of_graph(name, graphs[name]), flush=True)
    print(of_all(graphs))
    ran = [layer for layers in graphs.values() for layer in layers if not layer.reason]
    return 3 if any(layer.differ for layer in ran) else 0 if ran else 2


def _simulated(
    name: str, vectors: GraphVectors, folder: Path, asked: argparse.Namespace, part: str, clock_ns: float, cycles: int
) -> list[HardwareLayer]:
    """Return every hardware layer of a graph, simulated over as many frames as it takes to compare so many integers.

    What cannot run is known from one frame, before the others are computed.
    """
    folding = asked.artefact / FOLDER / name.removesuffix("_finn_streamlined") / "folding.json"
    built = _hardware(vectors.model, part, cycles, folding)
    hardware = built.layers
    one = ModelWrapper(onnx.ModelProto.FromString(hardware.model.SerializeToString()))
    once = layers_of(one, tensors(built.model, vectors.inputs(1)), folder / "once")
    cpp, rtl = _by_road(once, asked)
    check_cpp(cpp, one, asked.hlslib, folder)
    check_rtl(rtl, one, part, clock_ns)
    each = sum(layer.integers for layer in once if layer.computes and not layer.reason)
    if not each:
        return once
    frames = -(-asked.integers // each)
    layers = layers_of(hardware, tensors(built.model, vectors.inputs(frames)), folder / "all")
    for layer, same in zip(layers, once):
        layer.reason = same.reason
    cpp, rtl = _by_road(layers, asked)
    running = chain(
        simulate_cpp(cpp, hardware, asked.hlslib, folder), simulate_rtl(rtl, hardware, part, clock_ns, folder)
    )
    for _ in progress(running, len(cpp) + len(rtl), f"{name}, {frames:,} frames"):
        pass
    return layers


def _hardware(model: ModelWrapper, part: str, cycles: int, folding: Path) -> Built:
    """Return what FINN makes of an integer graph, as its builder folds layers and gives them types."""
    said = json.loads(folding.read_text()) if folding.exists() else {}
    with quietly():
        return built_of(model, Folding(cycles, said), part)


def _by_road(layers: Sequence[HardwareLayer], asked: argparse.Namespace) -> list[list[HardwareLayer]]:
    """Return the layers of C++ and those of RTL that can run here; the others are given the reason."""
    lacking = {
        "C++": WITHOUT_KERNELS if asked.hlslib is None else "",
        "RTL": "" if shutil.which("verilator") else "verilator is not on PATH",
    }
    for layer in layers:
        layer.reason = layer.reason or lacking[layer.road]
    return [[layer for layer in layers if layer.road == road and not layer.reason] for road in lacking]


if __name__ == "__main__":
    raise SystemExit(main())
