"""`python -m microstage_bench.random_networks FOLDER SEED ...`: as the package says."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from microstage_bench.random_networks import RandomNetwork, build_network, draw_recipe

__all__ = ["save"]


def save(network: RandomNetwork, folder: Path, name: str) -> None:
    """Write <name>.onnx and <name>.npz to `folder`."""
    (folder / f"{name}.onnx").write_bytes(network.model.SerializeToString())
    vectors = {"input": network.inputs, "answer": network.answers}
    np.savez(
        folder / f"{name}.npz", **{f"{kind}{n}": v for kind, values in vectors.items() for n, v in enumerate(values)}
    )


if __name__ == "__main__":
    for seed in map(int, sys.argv[2:]):
        save(build_network(replace(draw_recipe(seed, layers=6), style="exporter")), Path(sys.argv[1]), str(seed))
