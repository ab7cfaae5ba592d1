"""Harmonic amplitudes as IEC 61000-4-7 defines them: a DFT over 10 (50 Hz) or 12 (60 Hz) cycles, 5 Hz apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microstage.errors import DatasetError

__all__ = ["groups", "harmonic_amplitudes", "harmonic_coefficients", "spectrum", "subgroups", "thd"]


def spectrum(x: np.ndarray, cycles: int) -> np.ndarray:
    """Return the peak amplitude [.., L//2 + 1] of each DFT bin of `x` [.., L].

    It spans exactly `cycles` fundamental cycles.

    Rectangular window, as 61000-4-7 clause 4.4.1 asks. Bin `k * cycles` is harmonic k.
    """
    length = x.shape[-1]
    if cycles < 1 or length < 2 * cycles:
        raise DatasetError(
            f"A spectrum over {cycles} cycles needs at least {2 * max(cycles, 1)} samples, found {length}."
        )
    bins = np.abs(np.fft.rfft(x, axis=-1)) * (2.0 / length)
    bins[..., 0] /= 2.0
    return bins


def harmonic_amplitudes(x: np.ndarray, cycles: int, harmonics: Sequence[int] = (1, 3, 5, 7)) -> np.ndarray:
    """Return the peak amplitude of each harmonic [.., len(harmonics)], in the unit of `x`.

    `x` [.., L] spans exactly `cycles` cycles.
    """
    return spectrum(x, cycles)[..., [order * cycles for order in harmonics]]


def harmonic_coefficients(x: np.ndarray, cycles: int, harmonics: Sequence[int] = (1, 3, 5, 7)) -> np.ndarray:
    """Return the complex amplitude c of each harmonic h [.., len(harmonics)].

    Its part of `x` [.., L] is Re(c exp(2j pi h cycles t / L)), t from 0.
    """
    return np.fft.rfft(x, axis=-1)[..., [order * cycles for order in harmonics]] * (2.0 / x.shape[-1])


def groups(x: np.ndarray, cycles: int, harmonics: Sequence[int] = (1, 3, 5, 7)) -> np.ndarray:
    """Return the harmonic groups G_g (61000-4-7, clause 5.5.1, equation 8).

    A group is the root of the summed squares around a harmonic. Of the `cycles` bins between two harmonics each one
    takes half, the middle bin (even `cycles`) with half its square.
    """
    squares = spectrum(x, cycles) ** 2
    half = cycles // 2
    weights = np.ones(2 * half + 1)
    if cycles % 2 == 0:
        weights[[0, -1]] = 0.5
    return np.sqrt(_around(squares, cycles, harmonics, weights))


def subgroups(x: np.ndarray, cycles: int, harmonics: Sequence[int] = (1, 3, 5, 7)) -> np.ndarray:
    """Return the harmonic subgroups G_sg (61000-4-7, clause 5.5.1, equation 9).

    A subgroup is a harmonic and its two neighbouring bins.
    """
    return np.sqrt(_around(spectrum(x, cycles) ** 2, cycles, harmonics, np.ones(3)))


def _around(squares: np.ndarray, cycles: int, harmonics: Sequence[int], weights: np.ndarray) -> np.ndarray:
    offsets = np.arange(len(weights)) - len(weights) // 2
    centres = np.array([order * cycles for order in harmonics])
    return (squares[..., centres[:, None] + offsets] * weights).sum(-1)


def thd(amplitudes: np.ndarray) -> np.ndarray:
    """Return sqrt(H3^2 + H5^2 + H7^2) / H1 of `amplitudes` [.., 4]; nan without H1.

    It is the distortion that the network can see.
    """
    first = amplitudes[..., 0]
    rest = np.sqrt((amplitudes[..., 1:] ** 2).sum(-1))
    return np.divide(rest, first, out=np.full_like(rest, np.nan, dtype=float), where=first > 0)
