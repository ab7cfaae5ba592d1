"""Compute sizes and tables of kernels/ms_cepstra.h, which says what each is, for given features and quantiser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage.errors import ModelError
from microstage.interface.cepstra import Cepstra

__all__ = ["LOGARITHM_BITS", "Tables"]

LOGARITHM_BITS = 24
_SIZE_BITS = 31.5  # of a magnitude
_LARGEST = 2.0**15


@dataclass(frozen=True)
class Tables:
    """Compute the tables for `features`; `scale`: what one level of the network's input is."""

    features: Cepstra
    scale: float

    @property
    def half(self) -> int:
        """Return the length of the transform of even and odd samples."""
        return self.features.transform // 2

    @property
    def hann(self) -> np.ndarray:
        """Return the first half of the window and its middle, in 2^-31."""
        return np.minimum(np.rint(2.0**31 * self.features.hann[: self.features.window // 2 + 1]), 2**31 - 1)

    @property
    def cosine(self) -> np.ndarray:
        """Return a turn of a cosine in 2 * half steps, in 2^-30."""
        return np.rint(2.0**30 * np.cos(np.pi * np.arange(2 * self.half) / self.half))

    @property
    def reversed(self) -> np.ndarray:
        """Return each index of the transform with its bits in the reversed order."""
        bits = self.half.bit_length() - 1
        return np.array([int(f"{k:0{bits}b}"[::-1], 2) for k in range(self.half)])

    @property
    def used(self) -> np.ndarray:
        """Return the bins that lie in a triangle, in order, but for 0 Hz and half the rate."""
        return 1 + np.flatnonzero((0 <= self._segments[1:-1]) & (self._segments[1:-1] <= self.features.bands))

    @property
    def bins(self) -> np.ndarray:
        """Count the used bins between each two edges of triangles."""
        return np.bincount(self._segments[self.used], minlength=self.features.bands + 1)

    @property
    def rising(self) -> np.ndarray:
        """Return the share of each used bin that the triangle has that rises there, in 2^-weight_bits."""
        edges, place = self.features.edges, self._segments[self.used]
        share = (self.features.bins[self.used] - edges[place]) / (edges[place + 1] - edges[place])
        return np.rint(share * 2.0**self.weight_bits)

    @property
    def _segments(self) -> np.ndarray:
        """Return, of each bin, the edge of a triangle that it lies behind."""
        return np.searchsorted(self.features.edges, self.features.bins, side="right") - 1

    @property
    def weight_bits(self) -> int:
        """Count the bits of a share: as many that the sum of a band's magnitudes stays below 2^64."""
        return min(29, int(63.9 - _SIZE_BITS - np.log2(max(1.0, self._widest))))

    @property
    def _widest(self) -> float:
        return float(self.features.triangles.sum(axis=0).max())

    @property
    def roots(self) -> np.ndarray:
        """Return 2^31 over the square root of the middle of each of 96 steps of 2^25, from 32 steps on."""
        return np.minimum(np.rint(2.0**31 / np.sqrt((32.5 + np.arange(96)) * 2.0**25)), 65535)

    @property
    def inverses(self) -> np.ndarray:
        """Return 2^31 over the middle of each of 64 parts of an octave."""
        return np.rint(2.0**31 * 64 / (64.5 + np.arange(64)))

    @property
    def logarithms(self) -> np.ndarray:
        """Return the natural logarithm of the middle of each of 64 parts of an octave, in 2^-30."""
        return np.rint(2.0**30 * np.log(2.0**31 / self.inverses))

    @property
    def floor(self) -> int:
        """Return what is added to a magnitude over the largest before the logarithm, in 2^-62."""
        return round(2.0**62 * self.features.floor)

    @property
    def cosines(self) -> np.ndarray:
        """Return [coefficients, bands]: 2^(shift - LOGARITHM_BITS) levels of each coefficient for each logarithm."""
        return np.rint(self._levels * 2.0 ** (self.shift - LOGARITHM_BITS))

    @property
    def shift(self) -> int:
        """Return the places of the sums: as fine as an entry fits 31 bits, and any sum 63.

        Raises `ModelError` for levels so small that nothing of an entry would be left.
        """
        entry, total = np.abs(self._levels).max(), np.abs(self._levels).sum(axis=1).max() * self._reach
        shift = min(int(30.9 - np.log2(entry)), int(61.9 - LOGARITHM_BITS - np.log2(total)))
        if shift < 20:
            raise ModelError(f"{self.features.input} has a scale of {self.scale}, too small for features of sound.")
        return LOGARITHM_BITS + shift

    @property
    def _levels(self) -> np.ndarray:
        return self.features.cosines.T / self.scale

    @property
    def _reach(self) -> float:
        """Return the largest logarithm: of the floor, or of the loudest band beside a largest sample of 1."""
        loudest = _LARGEST * self.features.window / 2 * max(1.0, self._widest)
        return max(-np.log(self.features.floor), np.log(loudest)) + 1
