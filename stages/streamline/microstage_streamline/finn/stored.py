"""Say how a tensor lies in a graph that is laid out for streams, beside the order that its values had before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FlattenedImage", "StoredLayout", "channels_last", "natural"]


@dataclass(frozen=True, eq=False)
class FlattenedImage:
    """A row that was an image: `order` [values] is the place in the natural order of each of its values.

    To bring it back: reshape to `sizes`, transpose by `permutation`, flatten.
    """

    order: np.ndarray
    sizes: tuple[int, ...]
    permutation: tuple[int, ...]


@dataclass(frozen=True)
class StoredLayout:
    """Tensor `name` holds a tensor of `shape`, its axis `axes[i]` as axis i; None is an axis of size 1 that `shape`
    lacks.

    `flattened`: its last axis is an image whose values lie in another order than the natural one.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int | None, ...]
    flattened: FlattenedImage | None = None

    @property
    def sizes(self) -> list[int]:
        """Its shape as it lies."""
        return [1 if axis is None else self.shape[axis] for axis in self.axes]

    @property
    def is_natural(self) -> bool:
        return self.axes == natural(len(self.shape)) and self.flattened is None

    def lies_as(self, other: StoredLayout) -> bool:
        """Tell whether two tensors of one rank lie alike."""
        orders = [None if x.flattened is None else x.flattened.order for x in (self, other)]
        return self.axes == other.axes and np.array_equal(*orders)

    def arranged(self, value: np.ndarray) -> np.ndarray:
        """Arrange `value`, of a rank up to this one's, so that it meets this tensor element by element."""
        whole = value.reshape((1,) * (len(self.shape) - value.ndim) + value.shape)
        turned = np.transpose(whole, [axis for axis in self.axes if axis is not None])
        for place, axis in enumerate(self.axes):
            turned = np.expand_dims(turned, place) if axis is None else turned
        if self.flattened is not None and turned.shape[-1] > 1:
            turned = turned[..., self.flattened.order]
        return np.ascontiguousarray(turned)

    def restored(self, value: np.ndarray) -> np.ndarray:
        """Return values [n, ...] that lie as this tensor does in the natural order."""
        if self.flattened is not None:
            back = np.empty_like(value)
            back[..., self.flattened.order] = value
            return back
        dropped = tuple(place for place, axis in enumerate(self.axes) if axis is None)
        kept = [axis for axis in self.axes if axis is not None]
        return np.transpose(np.squeeze(value, dropped), np.argsort(kept))

    def memory(self) -> np.ndarray:
        """Return the natural places of its values, in the order in which they lie."""
        return self.arranged(np.arange(int(np.prod(self.shape))).reshape(self.shape)).reshape(-1)


def natural(rank: int) -> tuple[int, ...]:
    """Return the axes of a tensor that lies as its graph says."""
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int | None, ...]:
    """Return the axes of [n, C, L] as [n, L, 1, C], of [n, C, H, W] as [n, H, W, C], of any other as it is."""
    return {3: (0, 2, None, 1), 4: (0, 2, 3, 1)}.get(rank, natural(rank))
