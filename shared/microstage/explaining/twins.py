"""What is explained: a network in floats and the same in integers, layer by layer, on the same samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Arrays", "Computed", "Twins", "real_ones"]

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Computed:
    """What a run gave: the real values [n, ...] of each layer, and those of the answer [n, ...]."""

    layers: Arrays
    answer: np.ndarray


class Twins(ABC):
    """A network twice. `floats`, `integers` and `samples` say in words what each of them is.

    There are `count` samples, of which at most `most` are looked at for figures over all, so many `at_once`. `scores`
    tells that the answers [n, classes] are scores, of which the largest counts; `classes` are their names, as far as
    they are known.
    """

    floats: str
    integers: str
    samples: str
    count: int
    most: int = 256
    at_once: int = 8
    scores: bool = False
    classes: Sequence[str] = ()

    @abstractmethod
    def in_integers(self, rows: np.ndarray) -> Computed:
        """Return what the integers of the samples `rows` stand for; the layers in the order in which they are
        computed.
        """

    @abstractmethod
    def in_floats(self, rows: np.ndarray, given: Arrays | None = None) -> Computed:
        """Return the floats of the samples `rows`, of the same layers.

        Where a layer has values in `given`, all that follows reads these in place of its own, which are returned.
        """


def real_ones(replayed: Arrays) -> int:
    """Return how many of the replayed examples are real; those come first, extremes behind them."""
    return int(np.count_nonzero(replayed["real"]))
