"""`python -m microstage_bench.write_models FOLDER [NETWORK ...]`: every drawn network as files, a folder each.

<network>/model.onnx     int8 QDQ / QCDQ ONNX, opset 13, [1, C, H, W]
<network>/model.tflite   int8 flatbuffer, [1, H, W, C]; of the MLPerf Tiny shapes alone
<network>/golden.npz     integers of inputs and output, by the reference: half to even
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np

from microstage.errors import ParameterError
from microstage.interface import golden
from microstage.process.ending import ended
from microstage_bench.catalogue import NETWORKS, OF_FOOTPRINT
from microstage_bench.drawn_networks import draw_inputs
from microstage_bench.names import HALF_DEAD, MLPERF_TINY
from microstage_bench.network import DrawnNetwork
from microstage_bench.onnx_model import write_onnx
from microstage_bench.reference import run
from microstage_bench.tflite_model import write_tflite

__all__ = ["inputs_of", "network_named", "write_models"]

_VECTORS = 64


@cache
def network_named(name: str) -> DrawnNetwork:
    """Draw a network, once a process; `ParameterError` for a name that is none."""
    known = NETWORKS | OF_FOOTPRINT
    if name not in known:
        raise ParameterError(f"{name} is no network of the benchmarks: expected one of {', '.join(NETWORKS)}.")
    return known[name]()


def inputs_of(network: DrawnNetwork, count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return int8 inputs [count, ...] by name."""
    return {
        name: draw_inputs(network.shapes[name], count, seed + place, quantity.low, quantity.high)
        for place, (name, quantity) in enumerate(network.inputs.items())
    }


def write_models(network: DrawnNetwork, folder: Path) -> None:
    """Write the files above; the .tflite needs the package ai-edge-litert."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(write_onnx(network).SerializeToString(deterministic=True))
    values = run(network, inputs_of(network, _VECTORS))
    golden.save(folder / golden.FILE, {name: values[name] for name in (*network.inputs, network.output)})
    if network.name in (*MLPERF_TINY, HALF_DEAD):
        (folder / "model.tflite").write_bytes(write_tflite(network))


def main(words: list[str]) -> int:
    if not words:
        raise ParameterError("The folder to write into is missing.")
    for name in words[1:] or NETWORKS:
        write_models(network_named(name), Path(words[0]) / name)
        print(Path(words[0]) / name)
    return 0


if __name__ == "__main__":
    raise SystemExit(ended("microstage", lambda: main(sys.argv[1:])))
