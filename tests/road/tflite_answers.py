"""`python tests/road/tflite_answers.py FOLDER`: .tflite files of tests/streamline/tflite_networks.py there, and beside each what
TensorFlow Lite Micro answers, as real numbers: FOLDER/<name>.tflite, FOLDER/<name>.npz."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "streamline"))

from tflite_networks import residual, sixteen

from microstage_streamline.tflite.execute import executed
from microstage_streamline.tflite.file import read_tflite

NETWORKS = {"residual": residual(5)[0], "sixteen": sixteen(5, ends=1)[0]}


def main(folder: Path) -> None:
    for name, content in NETWORKS.items():
        (folder / f"{name}.tflite").write_bytes(content)
        file = read_tflite(folder / f"{name}.tflite")
        (taken,), (given,) = ([file.tensors[place] for place in places] for places in (file.inputs, file.outputs))
        drawn = np.random.default_rng(0).integers(*taken.ends, (200, *taken.shape[1:]), endpoint=True).astype(taken.kind)
        answers = executed(file, [drawn])[given.place].reshape(200, -1)
        values = [float(tensor.scale) * (ints.astype(np.int64) - tensor.zero) for tensor, ints in ((taken, drawn), (given, answers))]
        np.savez(folder / f"{name}.npz", input0=values[0].astype(np.float32), answer0=values[1].astype(np.float32))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
