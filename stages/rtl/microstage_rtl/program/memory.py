"""Give every buffer words of the activations' memory: two share them only where they are never alive at once."""

from __future__ import annotations

from collections.abc import Sequence

from microstage_rtl.program.call import Call, HeldWords

__all__ = ["lifetimes", "placed"]


def lifetimes(calls: Sequence[Call]) -> dict[HeldWords, tuple[int, int]]:
    """Return the first and the last call that touches each buffer; pinned ones live always."""
    found: dict[HeldWords, tuple[int, int]] = {}
    for index, call in enumerate(calls):
        for tensor in (call.x, call.other, call.y):
            if tensor is not None:
                first, _ = found.get(tensor.buffer, (index, index))
                found[tensor.buffer] = first, index
    return {b: (0, len(calls)) if b.pinned else life for b, life in found.items()}


def placed(calls: Sequence[Call]) -> dict[HeldWords, int]:
    """Return the first word of each buffer: the lowest that is free for all its life, large buffers first."""
    lives = lifetimes(calls)
    places: dict[HeldWords, int] = {}
    for buffer in sorted(lives, key=lambda b: (not b.pinned, -b.size, lives[b][0])):
        first, last = lives[buffer]
        taken = sorted(
            (places[other], places[other] + other.size)
            for other in places
            if lives[other][0] <= last and first <= lives[other][1]
        )
        place = 0
        for low, high in taken:
            if place + buffer.size <= low:
                break
            place = max(place, high)
        places[buffer] = place
    return places
