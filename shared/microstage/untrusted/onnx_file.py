"""Reading an ONNX file that somebody else may have written, with the weights that it keeps in files beside it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage.untrusted.limits import MOST_NODES, MOST_OCTETS, MOST_STORED

if TYPE_CHECKING:
    import onnx

__all__ = ["NAMES", "inside_folder", "is_tflite", "read_onnx"]

NAMES = "names.json"  # beside copies of a user's files: what the user calls them

Call = tuple[str, str]  # domain and name of an operator


def read_onnx(path: Path) -> onnx.ModelProto:
    """Return the model in `path`, whole.

    Its weights are inside, its own functions in place of their calls, its sparse constants dense.

    Nothing but this file, and files of its own folder that it keeps weights in, is ever opened. `ModelError` for a file
    that is no model, or one that is too large.
    """
    model = _parsed(path)
    if not model.graph.node:
        raise ModelError("The file holds no graph.")
    _fill_from_beside(model, path.parent)
    model = _without_functions(model)
    _make_dense(model.graph)
    return model


def is_tflite(path: Path) -> bool:
    """Tell whether a file is a .tflite file, by what it holds and whatever it is called."""
    with path.open("rb") as handle:
        return handle.read(8)[4:] == b"TFL3"


def inside_folder(location: str) -> bool:
    """Tell whether a relative path stays in the folder that it begins in."""
    parts = PurePosixPath(location).parts
    plain = not any(mark in location for mark in ("\\", "\0"))
    return bool(parts) and plain and not location.startswith("/") and ".." not in parts


def _parsed(path: Path) -> onnx.ModelProto:
    import onnx

    try:
        if path.stat().st_size > MOST_OCTETS:
            size = path.stat().st_size >> 20
            raise ModelError(f"The file has {size} MiB; at most {MOST_OCTETS >> 20} MiB can be read.")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The file cannot be read: {error.strerror}.") from None
    damaged = ModelError("This is no ONNX file, or a damaged one; export the network again.")
    with translated(lambda _: damaged):
        model = onnx.load_model_from_string(content)
    if any(isinstance(text, bytes) for text in _texts(model)):
        raise damaged  # protobuf hands over as bytes what is not UTF-8
    return model


def _texts(message) -> Iterator[str | bytes]:
    """Yield every name, and every other text, in a message and in those inside it."""
    for field, value in message.ListFields():
        each = [value] if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") else value
        if field.type == field.TYPE_STRING:
            yield from each
        elif field.type == field.TYPE_MESSAGE:
            for inner in each:
                yield from _texts(inner)


def _fill_from_beside(model: onnx.ModelProto, folder: Path) -> None:
    """Read the values of tensors that are kept in files of `folder`."""
    size = 0
    for tensor in _tensors(model):
        if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
            _fill(tensor, folder)
            size += len(tensor.raw_data)
            _assert_octets(size)


def _fill(tensor: onnx.TensorProto, folder: Path) -> None:
    from onnx.external_data_helper import load_external_data_for_tensor

    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    kept = f"{tensor.name or 'A constant'} is kept in {location or 'no file'}"
    remedy = "save the model with its weights inside"
    if not inside_folder(location) or os.path.islink(folder / location):
        raise ModelError(f"{kept}, outside the model's folder; {remedy}, or beside it.")
    if not (folder / location).is_file():
        raise ModelError(f"{kept}, and there is no such file beside the model; put it there, or {remedy}.")
    _assert_octets((folder / location).stat().st_size)
    with translated(lambda _: ModelError(f"{kept}, which does not hold it; {remedy}.")):
        load_external_data_for_tensor(tensor, str(folder))
    tensor.data_location = tensor.DEFAULT
    del tensor.external_data[:]


def _assert_octets(size: int) -> None:
    if size > MOST_OCTETS:
        raise ModelError(f"The weights have more than {MOST_OCTETS >> 20} MiB; a model of at most that can be read.")


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor that a model stores, in its functions too."""
    yield from _stored(model.graph)
    for function in model.functions:
        yield from _in_nodes(function.node)


def _stored(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _in_nodes(graph.node)


def _in_nodes(nodes) -> Iterator[onnx.TensorProto]:
    """Yield the tensors in nodes' attributes, and in the graphs inside them."""
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from _stored(inner)


def _nodes(nodes) -> Iterator[onnx.NodeProto]:
    """Yield nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner.node)


def _without_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace calls of the model's own functions by their bodies."""
    bodies = {
        (f.domain, f.name): Counter((node.domain, node.op_type) for node in _nodes(f.node)) for f in model.functions
    }
    sizes = _sizes(bodies)
    size = sum(sizes.get((node.domain, node.op_type), 1) for node in _nodes(model.graph.node))
    if size > MOST_NODES:
        raise ModelError(f"The network has {_rounded(size)} nodes; at most {MOST_NODES} can be read.")
    if not model.functions:
        return model
    from onnx import inliner

    said = "The model's functions cannot be put where they are called; export standard operators."
    with translated(lambda _: ModelError(said)):
        return inliner.inline_local_functions(model)


def _sizes(bodies: dict[Call, Counter[Call]]) -> dict[Call, int]:
    """Return {function: nodes of its body, and of those that it calls}.

    Refuse functions that call themselves, through others or not.
    """
    sizes: dict[Call, int] = {}
    try:
        for name in TopologicalSorter(
            {name: body.keys() & bodies.keys() for name, body in bodies.items()}
        ).static_order():
            sizes[name] = sum(count * sizes.get(called, 1) for called, count in bodies[name].items())
    except CycleError:
        raise ModelError("The model's functions call one another without an end; export standard operators.") from None
    return sizes


def _rounded(size: int) -> str:
    return str(size) if size < 10**9 else "more than 10^9"


def _make_dense(graph: onnx.GraphProto) -> None:
    """Make sparse constants dense, of the graph and of its nodes."""
    for sparse in graph.sparse_initializer:
        graph.initializer.append(_dense(sparse))
    del graph.sparse_initializer[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor"):
                attribute.t.CopyFrom(_dense(attribute.sparse_tensor))
                attribute.ClearField("sparse_tensor")
                attribute.name, attribute.type = "value", type(attribute).TENSOR


def _dense(sparse: onnx.SparseTensorProto) -> onnx.TensorProto:
    """Return values at places, counted in a flat tensor or along each axis, as a tensor."""
    import numpy as np
    from onnx import numpy_helper

    name, shape = sparse.values.name, list(sparse.dims)
    if np.prod(np.maximum(shape, 0), dtype=np.float64) > MOST_STORED:
        raise ModelError(f"Constant {name} says that it has shape {shape}; at most {MOST_STORED} values can be read.")
    reason = f"its values, their places and its shape {shape} do not agree"
    with translated(lambda _: ModelError(f"Constant {name} is damaged: {reason}.")):
        values, places = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
        whole = np.zeros(shape, values.dtype)
        whole[np.unravel_index(places, shape) if places.ndim == 1 else tuple(places.T)] = values
    return numpy_helper.from_array(whole, name)
