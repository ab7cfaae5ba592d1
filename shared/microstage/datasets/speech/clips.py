"""One second of speech per clip, and the split by speaker: what the readers of speech datasets share."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import numpy as np

from microstage.errors import DatasetError

__all__ = ["CLASSES", "Clips", "RATE", "SILENCE", "Speech", "UNKNOWN", "by_speaker", "label_of"]

RATE = 16000
CLASSES = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown")
SILENCE, UNKNOWN = CLASSES.index("silence"), CLASSES.index("unknown")
_SPEAKER = re.compile(r"([0-9a-f]{8})_nohash")
_VALIDATION_PERCENT, _TEST_PERCENT = 15, 20


@dataclass(frozen=True)
class Clips:
    """Clips as `pcm` int16 [n, 16000] or, where their audio is not at hand, as `mfcc` float32 [n, 49, 10].

    `name` [n] are their files, `label` uint8 [n] their classes.
    """

    name: np.ndarray
    label: np.ndarray
    pcm: np.ndarray | None = None
    mfcc: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.label)

    def rows(self, chosen: np.ndarray) -> Clips:
        """Return some of the clips."""
        pcm, mfcc = (None if values is None else values[chosen] for values in (self.pcm, self.mfcc))
        return Clips(self.name[chosen], self.label[chosen], pcm, mfcc)


@dataclass(frozen=True)
class Speech:
    """Three splits that share no speaker; `noise` int16 [m, 16000 or more] to add to training clips (none: []).

    `origin` says what a figure measured on `test` stands for, in words.
    """

    train: Clips
    validation: Clips
    test: Clips
    noise: list[np.ndarray]
    origin: str


def label_of(folder: str) -> int:
    """Return the class of a word's folder: its own, or unknown; `_silence_` is silence."""
    name = folder.strip("_")
    return CLASSES.index(name) if name in CLASSES else UNKNOWN


def by_speaker(clips: Clips, what: str) -> tuple[Clips, Clips, Clips]:
    """Return train, validation and test, whose speakers are different people.

    The hash in a file's name is its speaker; a clip without one goes by its own name.
    """
    found = [_SPEAKER.search(name) for name in clips.name]
    share = np.array([_percent(match[1] if match else name) for match, name in zip(found, clips.name)])
    ends = (_TEST_PERCENT, _TEST_PERCENT + _VALIDATION_PERCENT)
    parts = (
        clips.rows(share >= ends[1]),
        clips.rows((share >= ends[0]) & (share < ends[1])),
        clips.rows(share < ends[0]),
    )
    if not all(len(part) for part in parts):
        raise DatasetError(
            f"{what} holds {len(clips)} clips, too few for a split by speaker into training, validation and test."
        )
    return parts


def _percent(text: str) -> int:
    """Return 0..99, by SHA-256: the same for a speaker on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 100
