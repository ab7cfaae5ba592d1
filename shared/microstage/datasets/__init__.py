"""Recordings and synthetic waveforms, split by source before windowing.

`load` (in `microstage.datasets.power.loading`) needs NumPy; what stands here does not, as the runner uses
it on a bare host.
"""

from __future__ import annotations

from microstage.datasets.locations import BUILT_IN, files, folder, names

__all__ = ["BUILT_IN", "files", "folder", "names"]
