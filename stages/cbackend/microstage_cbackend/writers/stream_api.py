"""Collect the functions on samples of a network whose parts all run at every step: real, int16 and at any rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage_cbackend.vectors.real import RealVectors
from microstage_cbackend.writers.float_stream import FloatStream
from microstage_cbackend.writers.follow_api import FollowApi, follow_api
from microstage_cbackend.writers.int16_api import Int16Api, int16_api
from microstage_cbackend.writers.sample_stream import SampleStream, sample_stream_of
from microstage_cbackend.writers.stepping import Stepping

__all__ = ["StreamApi"]


class StreamApi:
    """Write the functions on samples that the network can have, which are none without `real` vectors of a waveform.

    `facts`: scales of the network's tensors by name. `int16` is None where shifts do not hold the scales.
    """

    def __init__(self, stepping: Stepping, facts: Mapping[str, Mapping[str, Any]], real: RealVectors | None) -> None:
        self.stepping = stepping
        self.waveform: SampleStream | None = sample_stream_of(stepping, facts, real)
        self.int16: Int16Api | None = None
        self._written: list[FloatStream | Int16Api | FollowApi] = []
        if self.waveform:
            self.int16 = int16_api(self.waveform)
            every = FloatStream(self.waveform), self.int16, follow_api(self.waveform)
            self._written = [functions for functions in every if functions]

    @property
    def kinds(self) -> list[str]:
        """Return what headers of functions on samples are called behind the network's name."""
        return [functions.kind for functions in self._written]

    def prototypes(self) -> dict[str, list[str]]:
        """Return {header: its functions}, for the README."""
        return {header: texts for functions in self._written for header, texts in functions.prototypes().items()}

    def files(self) -> dict[str, str]:
        """Return file name -> text."""
        return {file: text for functions in self._written for file, text in functions.files().items()}

    def reach(self) -> list[str]:
        """Say in the README how large and how small the real values of a window may be."""
        if not self.waveform:
            return []
        low, high = self.waveform.gain.exponents
        return [
            "",
            f"Functions of real numbers refuse a sample beyond 2^{high} ({2.0**high:.2g} of the samples' unit), or "
            "one that is infinite or no number:",
            "it is not taken, and neither the window nor what is carried changes; give another in its place, or go on "
            "without it. A window",
            f"that stays below 2^{low} ({2.0**low:.2g}) is resolved in steps of 2^{low - self.waveform.places}.",
        ]

    def entering(self) -> list[str]:
        """Say in the README how integers are made of real values: nothing, as the header does."""
        return []

    def ranked(self) -> list[str]:
        """Say in the README which outputs are in another order than their values: none is."""
        return []
