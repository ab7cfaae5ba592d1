"""What a network is calibrated with and compared on: batches, or a function that gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from torch import Tensor

from microstage.errors import ModelError

__all__ = ["Representative", "batches_of"]

Representative: TypeAlias = "Tensor | Iterable[Tensor] | Callable[[], Iterable[Tensor]]"


def batches_of(representative: Representative, shape: Sequence[int]) -> list[Tensor]:
    """Return the batches [n, *shape]; of (batch, target) pairs the first. Raise `ModelError` for one that is none."""
    given = representative() if callable(representative) else representative
    batches = [_tensor(batch) for batch in ([given] if isinstance(given, Tensor) else given)]
    if not batches:
        raise ModelError("The representative dataset holds no batch.")
    for batch in batches:
        if not isinstance(batch, Tensor) or tuple(batch.shape[1:]) != tuple(shape) or not len(batch):
            found = list(batch.shape) if isinstance(batch, Tensor) else type(batch).__name__
            wanted = ", ".join(map(str, shape))
            raise ModelError(f"The representative dataset holds {found}; the network takes batches [n, {wanted}].")
    return batches


def _tensor(batch: Any) -> Any:
    return batch[0] if isinstance(batch, (tuple, list)) and batch else batch
