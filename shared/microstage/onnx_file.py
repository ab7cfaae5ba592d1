"""Reading an ONNX file that somebody else may have written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from microstage.errors import ModelError

if TYPE_CHECKING:
    import onnx

__all__ = ["read_onnx"]


def read_onnx(path: Path) -> onnx.ModelProto:
    """The model in `path`; `ModelError` for a file that is none, or that keeps its weights in other files."""
    import onnx
    from onnx.external_data_helper import uses_external_data

    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from None
    except Exception:  # protobuf's DecodeError, whose class depends on its implementation
        raise ModelError(f"{path} is no ONNX file, or a damaged one.") from None
    if not model.graph.node:
        raise ModelError(f"{path} holds no graph.")
    outside = next((i.name for i in model.graph.initializer if uses_external_data(i)), None)
    if outside is not None:
        raise ModelError(f"{path} keeps {outside} in another file; save the model with its weights inside.")
    return model
