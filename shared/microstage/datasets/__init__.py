"""Recordings and synthetic waveforms, split by source before windowing. `load` needs NumPy; the rest does not."""

from __future__ import annotations

from microstage.datasets.locations import BUILT_IN, files, folder, names

__all__ = ["BUILT_IN", "files", "folder", "names"]
