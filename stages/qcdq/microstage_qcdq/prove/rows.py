"""Recorded integers as rows of one batch: what each boundary is computed from, and what it was found to be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microstage.integer.sequence import carried_into
from microstage.interface.recurrence import Recurrence
from microstage.signals.settle import Settling
from microstage_qcdq.graph.boundaries import Boundary

__all__ = ["Rows"]


class Rows:
    """The integers of all examples, and of all steps where there are several.

    A state that the cell takes is that of the step before, zero before the first; what encoder and head carry has been
    settled on the way. A state that the head takes is that of the same step; the last one, if it runs but once.
    """

    def __init__(
        self, vectors: Mapping[str, np.ndarray], sequence: Recurrence | None, settling: Settling | None
    ) -> None:
        self.vectors, self.sequence = vectors, sequence
        self.carried = carried_into(sequence, settling, vectors) if sequence and sequence.carried else {}

    def sources(self, boundary: Boundary) -> dict[str, np.ndarray]:
        """Return {source: rows} of a boundary; an input may be recorded in another shape of as many numbers."""
        found = {}
        for value in boundary.model.graph.input:
            shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim][1:]
            rows = self._flat(boundary.part, self._taken(boundary.part, value.name))
            found[value.name] = rows.reshape(-1, *shape) if 0 not in shape and shape else rows
        return found

    def target(self, boundary: Boundary) -> np.ndarray:
        """Return the recorded values at the boundary, as rows in the same order."""
        return self._flat(boundary.part, self.vectors[self.recorded(boundary)])

    def recorded(self, boundary: Boundary) -> str:
        """Return what golden vectors call the boundary."""
        return self.sequence.recorded(boundary.part, boundary.name) if self.sequence else boundary.name

    def _taken(self, part: str, source: str) -> np.ndarray:
        sequence = self.sequence
        if sequence is not None and part == sequence.head and source in sequence.last:
            states = self.vectors[sequence.last[source]]
            return states if sequence.carried else states[:, -1]
        if sequence is not None and part == sequence.cell:
            values = self.vectors[sequence.steps.get(source) or sequence.recorded(part, source)]
            if source not in sequence.states:
                return values
            return np.concatenate([np.zeros_like(values[:, :1]), values[:, :-1]], axis=1)
        return self.carried.get(source, self.vectors.get(source))

    def _flat(self, part: str, values: np.ndarray) -> np.ndarray:
        """Return one row a step, of parts that run at each of them."""
        stepped = self.sequence is not None and (self.sequence.carried or part == self.sequence.cell)
        return values.reshape(-1, *values.shape[2:]) if stepped else values
