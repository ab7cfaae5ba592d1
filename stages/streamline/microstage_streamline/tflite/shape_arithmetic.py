"""Fold the shapes that a .tflite file computes: keras' Flatten and Dense, converted without a known batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.prove.executors import CannotRun
from microstage_streamline.tflite.execute import executed
from microstage_streamline.tflite.file import TfliteFile, TfliteOperator, TfliteTensor

__all__ = ["fold_shapes"]

_OF_SHAPES_ALONE = ("SHAPE", "RANK")


def fold_shapes(file: TfliteFile) -> TfliteFile:
    """Return the file with every tensor that follows from shapes and constants alone stored, as TensorFlow Lite Micro
    computes it.
    """
    found = _arithmetic(file)
    if not found:
        return file
    made = {place for operator in found for place in operator.outputs}
    try:
        values = executed(
            file, [np.zeros(file.tensors[place].shape, file.tensors[place].kind) for place in file.inputs], sorted(made)
        )
    except CannotRun as error:
        raise ModelError(
            f"{file.where(found[0])}: the file computes shapes, which cannot be run ({error}); convert it"
            " with a fixed batch"
            " (tf.keras.Input(..., batch_size=1))."
        ) from None
    tensors = [_stored(tensor, values[tensor.place][0]) if tensor.place in made else tensor for tensor in file.tensors]
    return replace(file, tensors=tensors, operators=[operator for operator in file.operators if operator not in found])


def _arithmetic(file: TfliteFile) -> list[TfliteOperator]:
    """Return the operators on plain integers whose inputs, but for their shapes, are constants or of such operators."""
    known = {tensor.place for tensor in file.tensors if tensor.data is not None} | {-1}
    found = []
    for operator in file.operators:
        outputs = [file.tensors[place] for place in operator.outputs]
        plain = bool(outputs) and all(tensor.is_integer and not len(tensor.scales) for tensor in outputs)
        if plain and (operator.kind in _OF_SHAPES_ALONE or known.issuperset(operator.inputs)):
            found.append(operator)
            known.update(operator.outputs)
    return found


def _stored(tensor: TfliteTensor, value: np.ndarray) -> TfliteTensor:
    return replace(tensor, data=np.asarray(value).astype(tensor.kind).reshape(tensor.shape))
