"""Strip moves at the border that only kept the file's own order: streams begin and end as the layers inside
have them.
"""

from __future__ import annotations

from collections.abc import Collection

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

__all__ = ["StripMoves"]

_LAST = ["N", "H", "W", "C"]


class StripMoves(Transformation):
    """x -> move(x) -> layer becomes x' -> layer, x' in the shape that the move made; layer -> move -> y likewise.

    `moves` are the outputs of the moves that LowerConvs put in, `outputs` those graph outputs that may change.
    Precondition: nobody else reads x, and nobody reads y.
    """

    def __init__(self, moves: set[str], outputs: Collection[str]) -> None:
        super().__init__()
        self.moves, self.outputs = moves, outputs

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for value in model.graph.input:
            readers = model.find_consumers(value.name)
            if (
                len(readers) == 1
                and readers[0].output[0] in self.moves
                and not self._is_output(model, readers[0].output[0])
            ):
                self._enter_behind(model, value, readers[0])
                return model, True
        for value in model.graph.output:
            maker = model.find_producer(value.name)
            if maker is not None and self._can_end_before(model, value, maker):
                self._end_before(model, value, maker)
                return model, True
        return model, False

    def _can_end_before(self, model: ModelWrapper, value, maker) -> bool:
        source = maker.input[0]
        inside = (
            not model.find_consumers(value.name)
            and model.find_producer(source) is not None
            and not self._is_output(model, source)
        )
        return value.name in self.moves and value.name in self.outputs and inside

    @staticmethod
    def _is_output(model: ModelWrapper, name: str) -> bool:
        return any(name == value.name for value in model.graph.output)

    def _enter_behind(self, model: ModelWrapper, value, move) -> None:
        made = move.output[0]
        self._reshape(model, value, model.get_tensor_shape(made))
        model.graph.node.remove(move)
        for reader in model.find_consumers(made):
            reader.input[:] = [value.name if name == made else name for name in reader.input]

    def _end_before(self, model: ModelWrapper, value, move) -> None:
        source, shape = move.input[0], model.get_tensor_shape(move.input[0])
        if source in self.moves:
            self.moves = self.moves | {value.name}
        else:
            self.moves = self.moves - {value.name}
        model.graph.node.remove(move)
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = [value.name if name == source else name for name in names]
        self._reshape(model, value, shape)

    @staticmethod
    def _reshape(model: ModelWrapper, value, shape: list[int]) -> None:
        dims = value.type.tensor_type.shape
        del dims.dim[:]
        for size in shape:
            dims.dim.add().dim_value = size
        if len(shape) == 4:
            model.set_tensor_layout(value.name, _LAST)
