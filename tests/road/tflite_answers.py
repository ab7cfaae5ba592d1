"""`python tests/road/tflite_answers.py FOLDER`: .tflite files of tests/streamline/tflite_networks.py there, and beside
each what TensorFlow Lite Micro answers, as real numbers: FOLDER/<name>.tflite, FOLDER/<name>.npz."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "streamline"))

from tflite_networks import real, residual, sixteen

from microstage_streamline.tflite.execute import executed
from microstage_streamline.tflite.file import TfliteTensor, read_tflite

NETWORKS = {"residual": residual(5)[0], "sixteen": sixteen(5, ends=1)[0], "real": real(5)[0]}


def main(folder: Path) -> None:
    for name, content in NETWORKS.items():
        (folder / f"{name}.tflite").write_bytes(content)
        file = read_tflite(folder / f"{name}.tflite")
        (taken,), (given,) = ([file.tensors[place] for place in places] for places in (file.inputs, file.outputs))
        fed = drawn(taken)
        answers = executed(file, [fed])[given.place].reshape(200, -1)
        values = [as_real(tensor, value).astype(np.float32) for tensor, value in ((taken, fed), (given, answers))]
        np.savez(folder / f"{name}.npz", input0=values[0], answer0=values[1])


def drawn(tensor: TfliteTensor) -> np.ndarray:
    """200 inputs: integers of its type, or real numbers of which many lie halfway between two levels."""
    rng, shape = np.random.default_rng(0), (200, *tensor.shape[1:])
    if tensor.kind == np.float32:
        return (rng.integers(-300, 300, shape) / 16).astype(np.float32)
    return rng.integers(*tensor.ends, shape, endpoint=True).astype(tensor.kind)


def as_real(tensor: TfliteTensor, value: np.ndarray) -> np.ndarray:
    """What integers of a tensor stand for."""
    return float(tensor.scale) * (value.astype(np.int64) - tensor.zero) if len(tensor.scales) else value


if __name__ == "__main__":
    main(Path(sys.argv[1]))
