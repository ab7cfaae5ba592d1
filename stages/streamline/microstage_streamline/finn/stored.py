"""How a tensor lies in a graph that is laid out for streams, beside the order in which the graph before it had its
values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["StoredLayout", "channels_last", "natural"]


@dataclass(frozen=True)
class StoredLayout:
    """Tensor `name` holds a tensor of `shape`, its axis `axes[i]` as axis i; None is an axis of size 1 that `shape`
    lacks.

    `order`: of a flattened image, the place in the natural order of each value of the last axis; `folded`: (sizes,
    permutation) that bring such a row back: reshape, transpose, flatten.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int | None, ...]
    order: np.ndarray | None = None
    folded: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    @property
    def sizes(self) -> list[int]:
        """The shape that it has as it lies."""
        return [1 if axis is None else self.shape[axis] for axis in self.axes]

    @property
    def is_natural(self) -> bool:
        return self.axes == natural(len(self.shape)) and self.order is None

    def arranged(self, value: np.ndarray) -> np.ndarray:
        """`value` of a rank up to this one's, as numbers that meet this tensor element by element."""
        whole = value.reshape((1,) * (len(self.shape) - value.ndim) + value.shape)
        turned = np.transpose(whole, [axis for axis in self.axes if axis is not None])
        for place, axis in enumerate(self.axes):
            turned = np.expand_dims(turned, place) if axis is None else turned
        if self.order is not None and turned.shape[-1] > 1:
            turned = turned[..., self.order]
        return np.ascontiguousarray(turned)

    def restored(self, value: np.ndarray) -> np.ndarray:
        """Values [n, ...] that lie as this tensor does, in the natural order."""
        if self.order is not None:
            back = np.empty_like(value)
            back[..., self.order] = value
            return back
        dropped = tuple(place for place, axis in enumerate(self.axes) if axis is None)
        kept = [axis for axis in self.axes if axis is not None]
        return np.transpose(np.squeeze(value, dropped), np.argsort(kept))

    def memory(self) -> np.ndarray:
        """The natural places of its values, in the order in which they lie."""
        return self.arranged(np.arange(int(np.prod(self.shape))).reshape(self.shape)).reshape(-1)


def natural(rank: int) -> tuple[int, ...]:
    """The axes of a tensor that lies as its graph says."""
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int | None, ...]:
    """[n, C, L] as [n, L, 1, C], [n, C, H, W] as [n, H, W, C]; any other as it is."""
    return {3: (0, 2, None, 1), 4: (0, 2, 3, 1)}.get(rank, natural(rank))
