"""The clips that the parameters name, and their features: NumPy alone, for training and for every replay."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from microstage.datasets.locations import required
from microstage.datasets.speech import speech_commands, speech_features, words
from microstage.datasets.speech.clips import Clips, Speech
from microstage.models.kws.features import flat, mfcc, normalised

__all__ = ["features", "mixed", "read"]

_MIXED = 1000


def read(p: Mapping[str, Any], folder: Path | None) -> Speech:
    """Return the dataset that the parameters name."""
    if p["dataset"] == "words":
        return words.load(p["clips"], p["seed"])
    place = required(p["dataset"], folder)
    return speech_features.load(place) if p["dataset"] == "speech-features" else speech_commands.load(place, p["split"])


def features(clips: Clips) -> np.ndarray:
    """Return float32 [n, 490], coefficient-major, of clips as they are."""
    return flat(mfcc(normalised(clips.pcm)) if clips.mfcc is None else clips.mfcc)


def mixed(clips: Clips) -> Clips:
    """Return at most 1000 clips, mixed over the classes in an order that is the same everywhere.

    It is that of the SHA-256 of their names.
    """
    order = sorted(range(len(clips)), key=lambda row: sha256(str(clips.name[row]).encode()).digest())
    return clips.rows(np.array(order[:_MIXED]))
