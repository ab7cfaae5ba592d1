"""Where tensors and buffers of a network lie in one arena: the largest first, each as low as it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Living", "places"]

_ALIGNED = 8


@dataclass(frozen=True)
class Living:
    """`size` bytes that are needed from layer `first` to layer `last`."""

    size: int
    first: int
    last: int

    def meets(self, other: Living) -> bool:
        return self.first <= other.last and other.first <= self.last


def places(needed: Mapping[str, Living]) -> tuple[dict[str, int], int]:
    """Return ({name: offset}, bytes of the arena)."""
    found: dict[str, int] = {}
    for name, own in sorted(needed.items(), key=lambda item: (-item[1].size, item[0])):
        taken = sorted((found[other], needed[other].size) for other in found if own.meets(needed[other]))
        offset = 0
        for start, size in taken:
            if offset + own.size <= start:
                break
            offset = max(offset, -(-(start + size) // _ALIGNED) * _ALIGNED)
        found[name] = offset
    return found, max((found[name] + needed[name].size for name in found), default=0)
