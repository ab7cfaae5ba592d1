"""Reading an ONNX file that somebody else may have written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from microstage.errors import ModelError

if TYPE_CHECKING:
    import onnx

__all__ = ["read_onnx"]

_LARGEST = 1 << 30  # bytes; no network that fits an FPGA or a microcontroller comes near


def read_onnx(path: Path) -> onnx.ModelProto:
    """The model in `path`; `ModelError` for a file that is none, that is too large, or that keeps its weights in other files.

    Nothing but this one file is ever opened, wherever the model says its weights are.
    """
    import onnx

    try:
        if path.stat().st_size > _LARGEST:
            raise ModelError(f"{path} has {path.stat().st_size >> 20} MiB; a model of at most {_LARGEST >> 20} MiB can be read.")
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from None
    except ModelError:
        raise
    except Exception:  # protobuf's DecodeError, whose class depends on its implementation
        raise ModelError(f"{path} is no ONNX file, or a damaged one.") from None
    if not model.graph.node:
        raise ModelError(f"{path} holds no graph.")
    outside = next((t.name for t in _tensors(model.graph) if t.data_location == onnx.TensorProto.EXTERNAL or t.external_data), None)
    if outside is not None:
        raise ModelError(f"{path} keeps {outside or 'a constant'} in another file; save the model with its weights inside.")
    return model


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every tensor that a graph stores, in its nodes' attributes and the graphs inside them too."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
