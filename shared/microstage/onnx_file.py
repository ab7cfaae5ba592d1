"""Reading an ONNX file that somebody else may have written, with the weights that it keeps in files beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from microstage.errors import ModelError

if TYPE_CHECKING:
    import onnx

__all__ = ["NAMES", "inside_folder", "is_tflite", "read_onnx"]

NAMES = "names.json"  # beside copies of a user's files: what the user calls them

_LARGEST = 1 << 30  # bytes; no network that fits an FPGA or a microcontroller comes near
_MOST_VALUES = 1 << 28  # of one tensor


def read_onnx(path: Path) -> onnx.ModelProto:
    """The model in `path`, whole: weights inside, its own functions in place of their calls, sparse constants dense.

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
    """Whether a file is a .tflite file, by what it holds and whatever it is called."""
    with path.open("rb") as handle:
        return handle.read(8)[4:] == b"TFL3"


def inside_folder(location: str) -> bool:
    """Whether a relative path stays in the folder that it begins in."""
    parts = PurePosixPath(location).parts
    plain = not any(mark in location for mark in ("\\", "\0"))
    return bool(parts) and plain and not location.startswith("/") and ".." not in parts


def _parsed(path: Path) -> onnx.ModelProto:
    import onnx

    try:
        if path.stat().st_size > _LARGEST:
            size = path.stat().st_size >> 20
            raise ModelError(f"The file has {size} MiB; at most {_LARGEST >> 20} MiB can be read.")
        return onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelError(f"The file cannot be read: {error.strerror}.") from None
    except ModelError:
        raise
    except Exception:  # protobuf's DecodeError, whose class depends on its implementation
        raise ModelError("This is no ONNX file, or a damaged one; export the network again.") from None


def _fill_from_beside(model: onnx.ModelProto, folder: Path) -> None:
    """Read the values of tensors that are kept in files of `folder`."""
    import onnx
    from onnx.external_data_helper import load_external_data_for_tensor

    size = 0
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.external_data:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        kept = f"{tensor.name or 'A constant'} is kept in {location or 'no file'}"
        remedy = "save the model with its weights inside"
        if not inside_folder(location) or os.path.islink(folder / location):
            raise ModelError(f"{kept}, outside the model's folder; {remedy}, or beside it.")
        if not (folder / location).is_file():
            raise ModelError(f"{kept}, and there is no such file beside the model; put it there, or {remedy}.")
        try:
            load_external_data_for_tensor(tensor, str(folder))
        except Exception:  # of the checker, which is C++, or of numbers that are none
            raise ModelError(f"{kept}, which does not hold it; {remedy}.") from None
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
        size += len(tensor.raw_data)
        if size > _LARGEST:
            raise ModelError(f"The weights have more than {_LARGEST >> 20} MiB; a model of at most that can be read.")


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor that a model stores, in its functions too."""
    yield from _stored(model.graph)
    for function in model.functions:
        yield from _in_nodes(function.node)


def _stored(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _in_nodes(graph.node)


def _in_nodes(nodes) -> Iterator[onnx.TensorProto]:
    """The tensors in nodes' attributes, and in the graphs inside them."""
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from _stored(inner)


def _nodes(nodes) -> Iterator[onnx.NodeProto]:
    """Nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner.node)


def _without_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """Calls of the model's own functions are their bodies."""
    if not model.functions:
        return model
    from onnx import inliner

    _assert_ends({(f.domain, f.name): {(node.domain, node.op_type) for node in _nodes(f.node)} for f in model.functions})
    try:
        return inliner.inline_local_functions(model)
    except Exception:  # C++, on what may be anything
        raise ModelError("The model's functions cannot be put where they are called; export standard operators.") from None


def _assert_ends(calls: dict[tuple[str, str], set[tuple[str, str]]]) -> None:
    """Refuse functions that call themselves, through others or not: no program that inlines them would end."""
    while calls:
        leaves = [name for name, called in calls.items() if not called & calls.keys()]
        if not leaves:
            raise ModelError("The model's functions call one another without an end; export standard operators.")
        calls = {name: called for name, called in calls.items() if name not in leaves}


def _make_dense(graph: onnx.GraphProto) -> None:
    """Sparse constants, of the graph and of its nodes, become dense ones."""
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
    """Values at places, counted in a flat tensor or along each axis, as a tensor."""
    import numpy as np
    from onnx import numpy_helper

    name, shape = sparse.values.name, list(sparse.dims)
    if np.prod(np.maximum(shape, 0), dtype=np.float64) > _MOST_VALUES:
        raise ModelError(f"Constant {name} says that it has shape {shape}; at most {_MOST_VALUES} values can be read.")
    try:
        values, places = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
        whole = np.zeros(shape, values.dtype)
        whole[np.unravel_index(places, shape) if places.ndim == 1 else tuple(places.T)] = values
    except Exception:  # whatever its bytes, its places and its shape disagree about
        reason = f"its values, their places and its shape {shape} do not agree"
        raise ModelError(f"Constant {name} is damaged: {reason}.") from None
    return numpy_helper.from_array(whole, name)
