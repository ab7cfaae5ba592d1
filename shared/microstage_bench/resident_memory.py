"""`python -m microstage_bench.resident_memory MODEL.onnx`: by how many bytes a process grows with a session of
onnxruntime in it.

Counted from after the import to after one inference: model, prepacked weights, arena; not the library itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

__all__ = ["resident_growth"]

_TYPES = {
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


def resident_growth(model: Path) -> int:
    """Measure the same in a process of its own."""
    command = [sys.executable, "-m", "microstage_bench.resident_memory", str(model)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(model: str) -> int:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    before = _resident()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    zeros = {
        given.name: np.zeros([n if isinstance(n, int) else 1 for n in given.shape], _TYPES[given.type])
        for given in session.get_inputs()
    }
    session.run(None, zeros)
    print(_resident() - before)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
