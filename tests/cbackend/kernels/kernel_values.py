"""Random activations, weights and requantisations, often at the ends of their ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Requant:
    """MultiplyAddShift function per filter, as ms_requant."""

    multiplier: np.ndarray
    offset: np.ndarray
    shift: int
    low: int
    high: int
    even: int
    zero: int
    flip: int
    kink: np.ndarray
    edge: np.ndarray

    @property
    def buffers(self) -> list[np.ndarray]:
        return [self.multiplier, self.offset, self.kink, self.edge]

    @property
    def integers(self) -> list[int]:
        return [self.shift, self.low, self.high, self.even, self.zero, self.flip]

    def of(self, sums: np.ndarray) -> np.ndarray:
        """[..., filters] -> uint8, in the words of ms_fast.h."""
        value = sums.astype(np.int64) * self.multiplier + self.offset
        if self.kink.size:
            value -= np.where(value < self.edge, self.kink, 0)
        y = value >> self.shift
        if self.even:
            y -= ((value & ((1 << self.shift) - 1)) == 0) & ((y ^ self.zero) & 1)
        return np.clip(y, self.low, self.high).astype(np.uint8) ^ np.uint8(self.flip)


def requant(random, filters: int, reach: int, wide: bool) -> Requant:
    """Random parameters that map sums up to `reach` to about -50..300; half-even ones tie often."""
    even = int(random.integers(0, 3) == 0)
    shift = int(random.integers(32, 45)) if wide else int(random.integers(1, 20))
    scale = 350 / max(reach, 1) / 2 * (1 << shift)
    multiplier = np.maximum(
        1, np.minimum(2**31 - 1, (scale * random.uniform(0.3, 1, filters)).astype(np.int64))
    ).astype(np.int32)
    zero = int(random.integers(0, 200))
    if even and shift > 4:
        multiplier = np.full(filters, 1 << min(30, int(np.log2(max(scale, 2)))), np.int32)
    multiplier *= random.choice([1, 1, 1, -1], filters).astype(np.int32)
    half = 1 << (shift - 1)
    offset = (
        zero * (1 << shift)
        + half
        + (0 if even else random.integers(-half, half, filters))
        + np.zeros(filters, np.int64)
    )
    low, high = sorted(random.integers(0, 256, 2)) if random.integers(0, 2) else (0, 255)
    kink = random.integers(0, 2 << shift, 0 if even or random.integers(0, 2) else filters)
    edge = np.array([int(random.integers(0, 256)) << shift])
    return Requant(multiplier, offset, shift, int(low), int(high), even, zero, int(random.choice([0, 128])), kink, edge)


def activations(random, count: int) -> np.ndarray:
    kind = random.integers(0, 4)
    if kind == 0:
        return np.full(count, 255, np.uint8)
    return random.choice(np.array([0, 255, 128, 127]) if kind == 1 else np.arange(256), count).astype(np.uint8)


def weights(random, shape: tuple[int, ...], bits: int = 8) -> np.ndarray:
    kind, end = random.integers(0, 4), 1 << (bits - 1)
    if bits == 1:
        return random.choice([[-1, 1], [-1], [1], [-1, 1]][kind], shape).astype(np.int8)
    return random.choice([[-end, end - 1], [-end], [end - 1], np.arange(-end, end)][kind], shape).astype(np.int8)
