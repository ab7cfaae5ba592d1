"""What a network is calibrated with and compared on: batches, or a function that gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from microstage.errors import ModelError

__all__ = ["Representative", "assert_batch", "batches_of", "spread_examples"]

Representative: TypeAlias = "Tensor | Iterable[Tensor] | Callable[[], Iterable[Tensor]]"


def batches_of(representative: Representative, shape: Sequence[int]) -> list[Tensor]:
    """Return the batches [n, *shape]; of (batch, target) pairs the first. Raise `ModelError` for one that is none."""
    given = representative() if callable(representative) else representative
    batches = [_first(batch) for batch in ([given] if isinstance(given, Tensor) else given)]
    if not batches:
        raise ModelError("The representative dataset holds no batch.")
    for batch in batches:
        assert_batch(batch, shape, "The representative dataset holds")
    return batches


def spread_examples(batches: Sequence[Tensor], count: int) -> list[Tensor]:
    """Return as many examples, from everywhere in the batches and in batches as large: all, if there are fewer."""
    every = torch.cat(list(batches))
    rows = np.linspace(0, len(every) - 1, min(count, len(every))).astype(int)
    return list(every[rows].split(len(batches[0])))


def assert_batch(batch: Any, shape: Sequence[int], said: str) -> None:
    """Raise `ModelError`, which begins with `said`, unless `batch` is finite numbers [n, *shape]."""
    if not isinstance(batch, (Tensor, np.ndarray)) or tuple(batch.shape[1:]) != tuple(shape) or not len(batch):
        found = list(batch.shape) if isinstance(batch, (Tensor, np.ndarray)) else type(batch).__name__
        raise ModelError(f"{said} {found}; the network takes batches [n, {', '.join(map(str, shape))}].")
    if not np.isfinite(np.asarray(batch)).all():
        raise ModelError(f"{said} numbers that are not finite.")


def _first(batch: Any) -> Any:
    return batch[0] if isinstance(batch, (tuple, list)) and batch else batch
