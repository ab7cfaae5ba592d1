"""Find loops in lists of memory places: how at most four nested loops walk a permuted, repeated or sliced tensor."""

from __future__ import annotations

import numpy as np

__all__ = ["channel_loops", "loops", "padded_loops", "walk"]


def loops(sequences: list[np.ndarray]) -> tuple[list[int], list[list[int]]] | None:
    """Return (lengths, steps of each sequence), outermost loop first, that visit all `sequences` of places in order.

    Each sequence is start + sum of index * step over the nested loops; None where it is not.
    """
    lengths: list[int] = []
    steps: list[list[int]] = []
    while len(sequences[0]) > 1:
        length = _inner(sequences)
        if length == 1:
            return None
        lengths.insert(0, length)
        steps.insert(0, [int(s[1] - s[0]) for s in sequences])
        sequences = [s[::length] for s in sequences]
    return lengths, [list(s) for s in zip(*steps)] if steps else [[] for _ in sequences]


def _inner(sequences: list[np.ndarray]) -> int:
    """Return the length of the innermost loop: the longest divisor whose blocks all walk on by the same steps."""
    count = len(sequences[0])
    run = min(_run(s) for s in sequences)
    for length in range(run, 1, -1):
        if count % length == 0 and all(_repeats(s, length) for s in sequences):
            return length
    return 1


def _run(sequence: np.ndarray) -> int:
    steps = np.diff(sequence)
    other = np.flatnonzero(steps != steps[0])
    return int(other[0]) + 1 if other.size else len(sequence)


def _repeats(sequence: np.ndarray, length: int) -> bool:
    blocks = sequence.reshape(-1, length)
    return bool(
        np.array_equal(
            blocks - blocks[:, :1], np.broadcast_to(np.arange(length) * (sequence[1] - sequence[0]), blocks.shape)
        )
    )


def padded_loops(sequences: list[np.ndarray]) -> tuple[list[int], list[list[int]]] | None:
    """Return `loops` as exactly four, or None where they are more or there are none."""
    found = loops(sequences)
    if found is None or len(found[0]) > 4:
        return None
    lengths, steps = found
    pad = 4 - len(lengths)
    return [1] * pad + lengths, [[0] * pad + s for s in steps]


def channel_loops(labels: np.ndarray) -> tuple[int, np.ndarray, int]:
    """Return (outer, label of each channel, inner) so that `labels`, in memory order, is [outer][channels][inner]."""
    changes = np.flatnonzero(np.diff(labels)) + 1
    inner = int(np.gcd.reduce(changes, initial=0)) or len(labels)
    inner = int(np.gcd(inner, len(labels)))
    period = labels[::inner]
    for channels in range(1, len(period) + 1):
        if len(period) % channels == 0 and np.array_equal(np.tile(period[:channels], len(period) // channels), period):
            return len(period) // channels, period[:channels], inner
    raise AssertionError("the whole is always a period")


def walk(s: dict, steps: str) -> np.ndarray:
    """Return the places, from the start, that four nested loops of s["size"] visit with s[steps]."""
    return sum(np.arange(n).reshape([-1] + [1] * (3 - a)) * d for a, (n, d) in enumerate(zip(s["size"], s[steps])))
