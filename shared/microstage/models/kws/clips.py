"""Clips as features, and those that are replayed: NumPy alone, for training and for every replay."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from microstage.datasets.speech.cepstra import flat, mfcc, normalised
from microstage.datasets.speech.clips import Clips

__all__ = ["features", "mixed"]

_MIXED = 1000


def features(clips: Clips) -> np.ndarray:
    """Return float32 [n, 490], coefficient-major, of clips as they are."""
    return flat(mfcc(normalised(clips.pcm)) if clips.mfcc is None else clips.mfcc)


def mixed(clips: Clips) -> Clips:
    """Return at most 1000 clips, mixed over the classes in an order that is the same everywhere.

    It is that of the SHA-256 of their names.
    """
    order = sorted(range(len(clips)), key=lambda row: sha256(str(clips.name[row]).encode()).digest())
    return clips.rows(np.array(order[:_MIXED]))
