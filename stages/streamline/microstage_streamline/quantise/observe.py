"""Run a float network on example inputs, and note what each of its tensors holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from microstage.errors import ModelError
from microstage.integer.rounding_bounds import fan_in
from microstage_streamline.prove.executors import OriginalModel
from microstage_streamline.quantise.calibration import Arrays, CalibrationRows

__all__ = ["Observed", "affordable", "float_tensors", "observed", "values"]

_BINS = 2048
_PRODUCTS = ("Conv", "MatMul", "Gemm")
_LEAST, _MOST, _WORK = 16, 512, 1e11  # rows, and multiply-accumulates of all of them


@dataclass(frozen=True)
class Observed:
    """What a float tensor held on all rows: its ends, and how often which value between them."""

    low: float
    high: float
    counts: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        """The values in the middle of the bins."""
        edges = np.linspace(self.low, self.high, _BINS + 1)
        return (edges[1:] + edges[:-1]) / 2


def observed(file: OriginalModel, rows: CalibrationRows, names: Sequence[str]) -> dict[str, Observed]:
    """Return {tensor: what was seen} of the tensors `names`; `ModelError` where one is not finite."""
    ends = dict.fromkeys(names, (np.inf, -np.inf))
    for some in rows.parts():
        for name, value in values(file, some, names).items():
            if not np.isfinite(value).all():
                raise ModelError(f"On CALIBRATION the float network gives no finite numbers at {name}.")
            low, high = ends[name]
            ends[name] = (min(low, float(value.min())), max(high, float(value.max())))
    counts = dict.fromkeys(names, np.zeros(_BINS, np.int64))
    for some in rows.parts():
        for name, value in values(file, some, names).items():
            counts[name] = counts[name] + np.histogram(value, _BINS, ends[name])[0]
    return {name: Observed(*ends[name], counts[name]) for name in names}


def values(file: OriginalModel, some: Arrays, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the tensors `names` on a few rows of the inputs."""
    program = file.program([name for name in names if name not in file.inputs], set())
    found = program.run({name: some[name].astype(file.kind(name)) for name in program.sources})
    return {name: some[name] if name in some else found[name] for name in names}


def float_tensors(file: OriginalModel, row: Arrays) -> dict[str, tuple[int, ...]]:
    """Return {tensor: shape of one batch} of every float tensor that follows from the inputs, of which `row` is one."""
    batch = {name: np.repeat(value, file.batch or 1, 0).astype(file.kind(name)) for name, value in row.items()}
    program = file.program([name for name in file.makers if name in file.computed], set())
    found = {**batch, **program.once({name: batch[name] for name in program.sources})}
    return {name: value.shape for name, value in found.items() if value.dtype == np.float32 and value.size}


def affordable(file: OriginalModel, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return how many rows to look at: 512, fewer of a large network."""
    stored = {name: value.shape for name, value in file.constants.items()}
    known = {**stored, **shapes}
    work = float(sum(np.prod(shape) for shape in shapes.values()))
    for node in file.nodes:
        read = [known[name] for name in node.input[:2] if name in known]
        if node.op_type in _PRODUCTS and len(read) == 2 and node.output[0] in known:
            work += fan_in(node, read) * float(np.prod(known[node.output[0]]))
    return int(np.clip(_WORK / work, _LEAST, _MOST))
