"""FINN's hardware layers of a graph, each apart, for many frames at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

__all__ = ["HardwareLayer", "in_one_line", "layers_of"]

_HARDWARE = "finn.custom_op.fpgadataflow"
_ONE_FRAME = ("LabelSelect_hls",)
"Layers whose C++ is of one frame, however many they are said to take."
_MOVE = ("ConvolutionInputGenerator", "DuplicateStreams", "FMPadding", "StreamingConcat", "StreamingSplit")
"Layers that pass on what they take: they are compared, and not counted as accumulators or activations."


@dataclass
class HardwareLayer:
    """One hardware layer: its node, FINN's object for it, a folder of its own, and what it takes and must give."""

    name: str
    node: onnx.NodeProto
    op: Any
    folder: Path
    inputs: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    turns: int = 1
    "How often it is executed; `inputs` are [turns, ...]."
    reason: str = ""
    "Why it cannot run."
    seconds: float = 0.0
    differ: int = 0

    @property
    def road(self) -> str:
        """Say which of FINN's two kinds it is."""
        return "RTL" if self.node.op_type.endswith("_rtl") else "C++"

    @property
    def integers(self) -> int:
        """Count the integers that are compared."""
        return sum(value.size for value in self.expected.values())

    @property
    def computes(self) -> bool:
        """Tell whether it gives accumulators or activations, and not what it takes in another order."""
        return not self.node.op_type.startswith(_MOVE)

    def compare(self) -> None:
        """Execute the layer by FINN's own packing, and count the integers that differ."""
        for turn in range(self.turns):
            context = {name: value[turn].astype(np.float32) for name, value in self.inputs.items()}
            context |= self.constants
            for place, name in enumerate(self.node.output):
                context[name] = np.zeros(self.op.get_normal_output_shape(place), np.float32)  # some ask for its shape
            self.op.execute_node(context, None)
            for name, expected in self.expected.items():
                due = expected.reshape(self.turns, -1)[turn]
                self.differ += int(np.count_nonzero(np.ravel(context[name]) != due))


def in_one_line(error: Exception) -> str:
    """Return the beginning of what FINN says of a layer that it cannot do."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]


def layers_of(hardware: ModelWrapper, tensors: Mapping[str, np.ndarray], folder: Path) -> list[HardwareLayer]:
    """Return each hardware layer for all frames of `tensors`, int64 [frames, ...], which are extended by what FINN's
    own Python says of tensors that only FINN has.
    """
    known, found = dict(tensors), []
    for node in hardware.graph.node:
        if not node.domain.startswith(_HARDWARE):
            continue
        op, own = getCustomOp(node), folder / node.name
        constants = {name: hardware.get_initializer(name) for name in node.input}
        constants = {name: value for name, value in constants.items() if value is not None}
        layer = HardwareLayer(node.name, node, op, own, {}, {})
        found.append(layer)
        lacking = [name for name in node.input if name not in known and name not in constants]
        if lacking:
            layer.reason = "what it takes comes from a layer that FINN's Python does not run"
            continue
        _follow(layer, known, constants)
        streams = {name: known[name] for name in node.input if name not in constants}
        frames = len(next(iter(streams.values())))
        layer.constants, layer.turns = constants, frames if node.op_type in _ONE_FRAME else 1
        _for_frames(op, frames // layer.turns)
        shapes = {name: op.get_normal_input_shape(place) for place, name in enumerate(streams)}
        layer.inputs = {name: known[name].reshape(layer.turns, *shape) for name, shape in shapes.items()}
        layer.expected = {name: known[name] for name in node.output if name in known}
        own.mkdir(parents=True)
    return found


def _follow(layer: HardwareLayer, known: dict[str, np.ndarray], constants: Mapping[str, np.ndarray]) -> None:
    """Add those outputs to `known` that the integer graph does not have: copies, windows, padding."""
    node, op = layer.node, layer.op
    if all(name in known for name in node.output):
        return
    (source,) = (name for name in node.input if name in known)
    if node.op_type.startswith("DuplicateStreams"):
        known.update(dict.fromkeys(node.output, known[source]))
    elif layer.road == "RTL":  # whose Python is that of the layer, in this mode
        op.set_nodeattr("exec_mode", "cppsim")
        frames = []
        for frame in known[source]:
            context = {source: frame.reshape(op.get_normal_input_shape()).astype(np.float32), **constants}
            context[node.output[0]] = np.zeros(op.get_normal_output_shape(), np.float32)  # padding asks for its shape
            op.execute_node(context, None)
            frames.append(context[node.output[0]])
        known[node.output[0]] = np.concatenate(frames).astype(np.int64)


def _for_frames(op: Any, frames: int) -> None:
    """Make a layer of one frame one of so many: by its own attribute, and where that changes none of the shapes that it
    says it has, by these.
    """
    size = np.prod(op.get_normal_output_shape())
    attributes = op.get_nodeattr_types()
    if "numInputVectors" in attributes:
        said = op.get_nodeattr("numInputVectors")
        first, *others = map(int, np.atleast_1d(said))
        op.set_nodeattr("numInputVectors", [first * frames, *others] if np.ndim(said) else first * frames)
    elif "BatchSize" in attributes:
        op.set_nodeattr("BatchSize", op.get_nodeattr("BatchSize") * frames)
    elif "out_shape" in attributes:
        for side in ("lhs", "rhs", "out"):
            if side == "out" or op.get_nodeattr(f"{side}_style") == "input":
                first, *others = op.get_nodeattr(f"{side}_shape")
                op.set_nodeattr(f"{side}_shape", [int(first) * frames, *map(int, others)])
    if np.prod(op.get_normal_output_shape()) != size * frames:
        for name in ("normal_input", "folded_input", "normal_output", "folded_output"):
            shape = getattr(op, f"get_{name}_shape")
            setattr(op, f"get_{name}_shape", lambda *of, shape=shape: (frames * shape(*of)[0], *shape(*of)[1:]))
