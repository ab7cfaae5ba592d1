"""`python -m microstage_bench.random_networks FOLDER SEED ...`: as the package says."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from microstage_bench.random_networks import Made, drawn, made

__all__ = ["save"]


def save(network: Made, folder: Path, name: str) -> None:
    """Write <name>.onnx and <name>.npz to `folder`."""
    (folder / f"{name}.onnx").write_bytes(network.model.SerializeToString())
    vectors = {"input": network.inputs, "answer": network.answers}
    np.savez(
        folder / f"{name}.npz", **{f"{kind}{n}": v for kind, values in vectors.items() for n, v in enumerate(values)}
    )


if __name__ == "__main__":
    for seed in map(int, sys.argv[2:]):
        save(made(replace(drawn(seed, layers=6), style="exporter")), Path(sys.argv[1]), str(seed))
