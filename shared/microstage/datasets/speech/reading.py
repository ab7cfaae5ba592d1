"""The speech that a model's parameters name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microstage.datasets.locations import required
from microstage.datasets.speech import speech_commands, speech_features, words
from microstage.datasets.speech.clips import Speech

__all__ = ["read"]


def read(p: Mapping[str, Any], folder: Path | None) -> Speech:
    """Return the dataset that the parameters name."""
    if p["dataset"] == "words":
        return words.load(p["clips"], p["seed"])
    place = required(p["dataset"], folder)
    return speech_features.load(place) if p["dataset"] == "speech-features" else speech_commands.load(place, p["split"])
