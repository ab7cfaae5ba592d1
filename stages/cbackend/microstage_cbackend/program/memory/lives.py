"""Say from when to when each byte of a buffer is needed, and how two buffers may lie over each other.

Times count layers, and within a layer the steps of its kernel's order. A byte lives from its first write to its last
read; a byte that is read at a time may be written over at that time, as kernels read before they write.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ["ALIGNMENT", "Buffer", "after", "aligned", "before", "moment", "most_alive"]

ALIGNMENT = 8
"All buffers start at multiples of it, in bytes."
_LAYER = 1 << 40
_UNKNOWN = np.empty(0)


def before(layer: int) -> int:
    """Return the time before the first step of a layer."""
    return layer * _LAYER


def moment(layer: int, steps: np.ndarray) -> np.ndarray:
    """Return the times of `steps` of a layer; of the step -1, `before`."""
    return layer * _LAYER + 1 + steps


def after(layer: int) -> int:
    """Return the time behind the last step of a layer."""
    return (layer + 1) * _LAYER - 1


def aligned(count: int) -> int:
    """Return `count` bytes and those up to the next place where a buffer may start."""
    return -(-count // ALIGNMENT) * ALIGNMENT


@dataclass(eq=False)
class Buffer:
    """Describe `bytes` of memory that layers `first` to `last` use, both included.

    `born` and `dies` hold the times of each byte's first write and last read, int64 [one or two walks][bytes]; left
    out, all bytes are needed as long as those layers run.
    """

    bytes: int
    first: int
    last: int
    offset: int = 0
    born: np.ndarray = field(default_factory=lambda: _UNKNOWN)
    dies: np.ndarray = field(default_factory=lambda: _UNKNOWN)

    def __post_init__(self) -> None:
        self.bytes = aligned(self.bytes)
        self.born = self._filled(self.born, before(self.first))
        self.dies = self._filled(self.dies, after(self.last))

    def _filled(self, times: np.ndarray, time: int) -> np.ndarray:
        """Return times of all bytes; what is behind the last one shares its time."""
        if times is _UNKNOWN:
            return np.broadcast_to(np.int64(time), (1, self.bytes))
        return np.pad(times, ((0, 0), (0, self.bytes - times.shape[1])), mode="edge")

    def meets(self, other: Buffer) -> bool:
        """Tell whether both are used in one layer."""
        return self.first <= other.last and other.first <= self.last

    def allows(self, other: Buffer, distance: int) -> bool:
        """Tell whether `other` may start `distance` bytes above this one: no byte of memory is needed for both."""
        if self.first > other.first:
            return other.allows(self, -distance)
        start, end = max(0, distance), min(self.bytes, distance + other.bytes)
        if start >= end or not self.meets(other):
            return True
        if self.last != other.first:
            return False
        return bool(np.all(self.dies[:, start:end] <= other.born[:, start - distance : end - distance]))

    def distances(self, other: Buffer) -> list[int]:
        """Return the distances, of `other` above this one, at which it is worth a try: lowest apart, over, in place."""
        if self.first > other.first:
            return [-d for d in other.distances(self)]
        found = [-other.bytes, self.bytes]
        if self.last == other.first and not (self._whole(self.dies) or self._whole(other.born)):
            found += [-aligned(_least(self.dies, other.born)), self._in_place(other)]
        return found

    @staticmethod
    def _whole(times: np.ndarray) -> bool:
        return times.strides == (0, 0)

    def _in_place(self, other: Buffer) -> int:
        """Return the distance at which the first byte that their common layer writes is the first that it reads."""
        read, written = self.dies[0] > before(self.last), other.born[0] < after(other.first)
        return int(read.argmax() - written.argmax())


def _least(dies: np.ndarray, born: np.ndarray) -> int:
    """Return how far below a dying buffer one being born must start so that it never runs into what is still read."""
    least = 0
    for walk in range(max(len(dies), len(born))):
        first, last = _runs(_walk(dies, walk))[0], _runs(_walk(born, walk))[1]
        read, written = _walk(dies, walk)[first], _walk(born, walk)[last]
        order = np.argsort(written, kind="stable")
        reached = np.concatenate([[-1], np.maximum.accumulate(last[order])])
        highest = reached[np.searchsorted(written[order], read, side="left")]
        least = max(least, int(np.max(highest - first + 1)))
    return least


def _walk(times: np.ndarray, walk: int) -> np.ndarray:
    """Return the times of one walk; where there is only one, it is both."""
    return times[min(walk, len(times) - 1)]


def most_alive(buffers: list[Buffer]) -> int:
    """Return the most bytes that are needed at one time, below which no plan is possible.

    Layers whose buffers are fewer bytes in sum than that are not looked into.
    """
    most = 0
    layers = {layer for b in buffers for layer in (b.first, b.last)}
    together = [[b for b in buffers if b.first <= layer <= b.last] for layer in layers]
    for met in sorted(together, key=_bytes, reverse=True):
        if _bytes(met) <= most:
            break
        most = max(most, *(_alive_at_once(met, walk) for walk in range(2)))
    return most


def _bytes(buffers: list[Buffer]) -> int:
    return sum(b.bytes for b in buffers)


def _alive_at_once(buffers: list[Buffer], walk: int) -> int:
    ends = [_changes(_walk(b.born, walk), _walk(b.dies, walk)) for b in buffers]
    times, changes = (np.concatenate(parts) for parts in zip(*ends))
    return int(np.cumsum(changes[np.lexsort((changes, times))]).max())


def _changes(born: np.ndarray, dies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the times at which the number of bytes alive changes, and by how many; a time may be there repeatedly."""
    dies = np.maximum(dies, born + 1)
    (starts, behind), (ends, gone) = _runs(born), _runs(dies)
    return np.concatenate([born[starts], dies[ends]]), np.concatenate([behind - starts + 1, ends - gone - 1])


def _runs(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last byte of each run of bytes that share a time."""
    last = np.append(np.flatnonzero(times[1:] != times[:-1]), len(times) - 1)
    return np.concatenate([[0], last[:-1] + 1]), last
