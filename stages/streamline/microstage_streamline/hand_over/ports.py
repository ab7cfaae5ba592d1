"""Say which port of FINN's is which input or output of ours: FINN renames tensors and puts them into another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from microstage.errors import ModelError
from microstage_streamline.finn.estimate import Built

__all__ = ["Port", "ports_of"]

_INPUT, _OUTPUT = (
    ("input.npy", "input_{}.npy", "s_axis_{}"),
    ("expected_output.npy", "expected_output_{}.npy", "m_axis_{}"),
)


@dataclass(frozen=True)
class Port:
    """The stream that FINN calls `port`, of our `name`; `tensor` of the integer graph is what runs over it, in `shape`
    and integers of `datatype`; `file` holds golden ones.
    """

    port: str
    name: str
    tensor: str
    shape: list[int]
    datatype: str
    file: str

    def described(self) -> dict[str, Any]:
        """Return what ports.json says."""
        return {name: getattr(self, name) for name in ("port", "name", "shape", "datatype", "file")}


def ports_of(built: Built) -> dict[str, list[Port]]:
    """Return {"inputs": ports, "outputs": ports} in FINN's order; `ModelError` for a stream that is none of ours."""
    parent, node, layers = built.partition.parent, built.partition.node, built.layers
    entered = {value.name: value.name for value in parent.graph.input}
    answers = zip(parent.graph.output, built.model.graph.output)  # FINN renames outputs where they are
    given = {_through(parent, end.name, {*node.output}): own.name for end, own in answers}
    inputs = [
        _port(layers, index, tensor, entered[_through(parent, tensor, {*entered})], tensor, _INPUT)
        for index, tensor in enumerate(node.input)
    ]
    outputs = [
        _port(layers, index, tensor, given[tensor], _ours(built, tensor), _OUTPUT)
        for index, tensor in enumerate(node.output)
        if tensor in given or _refuse(tensor)
    ]
    return {"inputs": inputs, "outputs": outputs}


def _port(layers: ModelWrapper, index: int, stream: str, name: str, tensor: str, words: tuple[str, str, str]) -> Port:
    first, other, port = words
    shape, kind = list(layers.get_tensor_shape(stream)), layers.get_tensor_datatype(stream).name
    return Port(port.format(index), name, tensor, shape, kind, other.format(index) if index else first)


def _through(parent: ModelWrapper, name: str, ends: set[str]) -> str:
    """Follow a tensor back over moves to one of `ends`."""
    while name not in ends:
        maker = parent.find_producer(name)
        read = [source for source in maker.input if parent.get_initializer(source) is None] if maker else []
        if len(read) != 1:
            _refuse(name)
        name = read[0]
    return name


def _ours(built: Built, name: str) -> str:
    """Return the tensor of the integer graph that a stream is a copy of."""
    known = {*built.model.get_all_tensor_names()}
    while name not in known:
        name = built.layers.find_producer(name).input[0]
    return name


def _refuse(name: str) -> bool:
    raise ModelError(f"FINN's stream {name} is no input or output of the graph alone")
