"""Search for places of buffers in the arena: each at the lowest one that the buffers placed before it allow.

The order in which buffers are placed decides; a few orders that tend to be good are tried, then a few hundred drawn
ones, each a few exchanges away from the best so far. The draw is the same in every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from microstage_cbackend.program.memory.lives import ALIGNMENT, Buffer, most_alive

__all__ = ["Fitting"]

_TRIES = 400
Places = dict[Buffer, int]


class Fitting:
    """Find places of `needed` buffers, and of `others` that shall not make the arena larger than those need.

    `bound` is what the needed ones take at least, `places` what was found.
    """

    def __init__(self, needed: Sequence[Buffer], others: Sequence[Buffer] = ()) -> None:
        self._needed, self._every = list(needed), [*needed, *others]
        self.bound = most_alive(self._needed)
        self._aim = self.bound, max(self.bound, most_alive(self._every))
        self._met = {b: [o for o in self._every if o is not b and o.meets(b)] for b in self._every}
        self._distances: dict[tuple[Buffer, Buffer], list[int]] = {}
        self._allowed: dict[tuple[Buffer, Buffer, int], bool] = {}
        self.places = self._found([*others])

    def size(self, places: Places) -> int:
        """Return the bytes of the arena that the needed buffers reach."""
        return max((places[b] + b.bytes for b in self._needed), default=0)

    def _cost(self, places: Places) -> tuple[int, int]:
        """Return the size, and the size with the other buffers in it."""
        return self.size(places), max((start + b.bytes for b, start in places.items()), default=0)

    def _found(self, others: list[Buffer]) -> Places:
        orders = [
            lambda b: (-b.bytes, b.first),
            lambda b: (b.first, -b.bytes),
            lambda b: (b.first - b.last, -b.bytes),
            lambda b: (-b.last, -b.bytes),
        ]
        sequences = [[*sorted(self._needed, key=order), *others] for order in orders]
        sequences += [sorted(self._every, key=order) for order in orders] if others else []
        tried = [(self._placed(sequence), sequence) for sequence in sequences]
        best, sequence = min(tried, key=lambda pair: self._cost(pair[0]))
        return self._exchanged(best, sequence)

    def _exchanged(self, best: Places, sequence: list[Buffer]) -> Places:
        """Return the best of the plans in drawn orders."""
        random = Random(0)
        for _ in range(_TRIES if len(sequence) > 1 else 0):
            if self._cost(best) <= self._aim:
                break
            other = list(sequence)
            for _ in range(random.randint(1, 3)):
                i, j = random.sample(range(len(other)), 2)
                other[i], other[j] = other[j], other[i]
            found = self._placed(other)
            if self._cost(found) <= self._cost(best):
                best, sequence = found, other
        return best

    def _placed(self, sequence: Sequence[Buffer]) -> Places:
        """Put each buffer at the lowest place that those before it allow."""
        places: Places = {}
        for buffer in sequence:
            met = [(other, places[other]) for other in self._met[buffer] if other in places]
            starts = {start + d for other, start in met for d in self._tried(other, buffer) if start + d >= 0}
            places[buffer] = next(
                start for start in sorted({0, *starts}) if all(self._allows(o, buffer, start - s) for o, s in met)
            )
        return places

    def _tried(self, one: Buffer, other: Buffer) -> list[int]:
        if (one, other) not in self._distances:
            tried = [d for d in one.distances(other) if d % ALIGNMENT == 0]
            self._distances |= {(one, other): tried, (other, one): [-d for d in tried]}
        return self._distances[one, other]

    def _allows(self, one: Buffer, other: Buffer, distance: int) -> bool:
        key = (one, other, distance)
        if key not in self._allowed:
            self._allowed[key] = one.allows(other, distance)
        return self._allowed[key]
