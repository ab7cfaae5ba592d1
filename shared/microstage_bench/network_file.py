"""A network as the file that other runtimes run: its inputs and outputs, its size, and how far into it a C goes."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import onnx

from microstage_bench import onnx_ends, tflite_file
from microstage_bench.ends import End

__all__ = ["NetworkFile", "OnnxNetwork", "TfliteNetwork"]


class OnnxNetwork:
    """An ONNX file."""

    def __init__(self, path: Path) -> None:
        self.path, self.content = path, onnx.load(str(path))

    @cached_property
    def inferred(self) -> onnx.ModelProto:
        """The network with a batch of one, and so with every shape."""
        return onnx_ends.with_batch_of_one(self.content)

    @property
    def inputs(self) -> list[End]:
        return onnx_ends.inputs_of(self.inferred)

    @property
    def outputs(self) -> list[End]:
        return onnx_ends.outputs_of(self.inferred)

    @property
    def macs_and_weights(self) -> tuple[int | None, int]:
        """How many multiply-accumulates one inference has, None where the file does not tell; and how many weights the
        network has.
        """
        return onnx_ends.macs_and_weights(self.inferred)

    def inside(self, name: str) -> End | None:
        """Return the tensor `name` inside the file, where a C of that name may end; None where there is none."""
        found = onnx_ends.with_output(self.inferred, name)
        return None if found is None else onnx_ends.outputs_of(found)[0]

    def up_to(self, answer: End) -> tuple[onnx.ModelProto | None, str]:
        """Return (the network up to the tensor `answer`, what the whole file does behind it); (None, "")."""
        before = onnx_ends.with_output(self.inferred, answer.name)
        behind = onnx_ends.behind(self.content, answer.name) if before is not None else []
        return (before, f"{' and '.join(behind)} of {answer.size}") if behind else (None, "")


class TfliteNetwork:
    """A .tflite file."""

    def __init__(self, path: Path) -> None:
        self.path, self.content = path, path.read_bytes()

    @property
    def inputs(self) -> list[End]:
        return tflite_file.ends_of_tflite(self.content)[0]

    @property
    def outputs(self) -> list[End]:
        return tflite_file.ends_of_tflite(self.content)[1]

    @property
    def macs_and_weights(self) -> tuple[int, int]:
        """How many multiply-accumulates one inference has, and how many weights the network."""
        return tflite_file.macs_and_weights(self.content)

    def inside(self, name: str) -> End | None:
        """Return what the closing softmax takes, where a C ends; None where the file ends in none."""
        if not tflite_file.closing_softmax(self.content):
            return None
        return tflite_file.ends_of_tflite(tflite_file.without_softmax(self.content))[1][0]

    def up_to(self, answer: End) -> tuple[bytes | None, str]:
        """Return (the network without its closing softmax, that softmax in words); (None, "") where it has none."""
        size = tflite_file.closing_softmax(self.content)
        return (tflite_file.without_softmax(self.content), f"a softmax of {size}") if size else (None, "")


NetworkFile = OnnxNetwork | TfliteNetwork
