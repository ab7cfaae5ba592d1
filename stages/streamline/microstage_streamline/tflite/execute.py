"""Run TensorFlow Lite Micro's reference kernels on a .tflite file, in a process of its own: a stranger's file may end
it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from microstage_streamline.prove.executors import CannotRun
from microstage_streamline.tflite.file import TfliteFile

__all__ = ["BY", "executed"]

BY = f"TensorFlow Lite Micro {version('tflite-micro')}"
_SECONDS = 600
_SPARE = 1 << 22  # bytes of the arena beyond twice what all tensors take


def executed(
    file: TfliteFile, given: Sequence[np.ndarray], asked: Sequence[int] | None = None
) -> dict[int, np.ndarray]:
    """Return {place: [n, ...]} of the tensors `asked` for (None: every computed one) for inputs [n, ...] in the file's
    order; `CannotRun` with the interpreter's last words.
    """
    asked = sorted(file.makers) if asked is None else list(asked)
    with tempfile.TemporaryDirectory(prefix="tflite-micro.") as scratch:
        folder = Path(scratch)
        (folder / "model.tflite").write_bytes(file.content)
        numbers = [tensor for tensor in file.tensors if tensor.stored_as is not None]
        held = sum(int(np.prod(tensor.shape)) * tensor.kind.itemsize for tensor in numbers)
        (folder / "asked.json").write_text(json.dumps({"arena": 2 * held + _SPARE, "tensors": asked}))
        np.savez(folder / "given.npz", **{str(index): value for index, value in enumerate(given)})
        command = [sys.executable, "-P", str(Path(__file__).with_name("interpret.py")), scratch]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, errors="replace"
            )
        except subprocess.TimeoutExpired:
            raise CannotRun(f"{BY}: it took more than {_SECONDS} s") from None
        if done.returncode:
            raise CannotRun(f"{BY}: {_last_words(done)}")
        with np.load(folder / "found.npz", allow_pickle=False) as found:
            return {int(place): found[place] for place in found.files}


def _last_words(done: subprocess.CompletedProcess) -> str:
    """Return what the interpreter said of the file, before Python's own traceback."""
    lines = [line for line in done.stderr.split("Traceback (most recent call last)")[0].splitlines() if line.strip()]
    said = " ".join(" ".join(lines[-2:]).split())[:200].rstrip(".")
    return said or f"it ended with code {done.returncode}"
