"""Run TensorFlow Lite Micro on FOLDER/model.tflite: `python interpret.py FOLDER`, alone, so that it begins at once.

`asked.json` {"arena": bytes, "tensors": places of tensors}; `given.npz`, [n, ...] for each input by its number; written
is `found.npz`, [n, ...] of each tensor by its place.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from tflite_micro.python.tflite_micro import runtime


def main(folder: Path) -> None:
    """Run one inference after another, and keep every tensor."""
    asked, config = json.loads((folder / "asked.json").read_text()), runtime.InterpreterConfig.kPreserveAllTensors
    content = (folder / "model.tflite").read_bytes()
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=asked["arena"], intrepreter_config=config)
    with np.load(folder / "given.npz", allow_pickle=False) as stored:
        given = [stored[str(index)] for index in range(len(stored.files))]
    found: dict[str, list[np.ndarray]] = {str(place): [] for place in asked["tensors"]}
    for row in range(len(given[0])):
        for index, values in enumerate(given):
            interpreter.set_input(values[row : row + 1], index)
        interpreter.invoke()
        for place, values in found.items():
            values.append(interpreter.GetTensor(int(place), 0)["tensor_data"].copy())
    np.savez(folder / "found.npz", **{place: np.stack(values) for place, values in found.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
