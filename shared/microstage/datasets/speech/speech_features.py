"""Clips of speech whose features alone are at hand, split by speaker.

One .npz with `mfcc` [n, 49, 10], `names` [n] and `y` [n].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage.datasets.recordings.reading import LARGEST
from microstage.datasets.speech.clips import CLASSES, Clips, Speech, by_speaker
from microstage.errors import DatasetError
from microstage.untrusted.npz import arrays_of

__all__ = ["FILE", "load"]

FILE = "gsc_test_mfcc.npz"
_FRAMES, _COEFFICIENTS = 49, 10


def load(folder: Path) -> Speech:
    """Train, validation and test of different speakers; no audio, so no noise can be added."""
    path = folder / FILE
    try:
        mfcc, names, label = arrays_of(path, ["mfcc", "names", "y"], LARGEST).values()
    except ValueError as error:
        raise DatasetError(f"{path} holds no features of speech: {error}.") from None
    if mfcc.shape != (len(names), _FRAMES, _COEFFICIENTS) or label.shape != names.shape or not np.isfinite(mfcc).all():
        raise DatasetError(
            f"{path}: expected finite features [n, {_FRAMES}, {_COEFFICIENTS}] with n names and labels, found "
            f"{list(mfcc.shape)}."
        )
    if label.max(initial=0) >= len(CLASSES):
        raise DatasetError(f"{path}: a label is {label.max()}, expected below {len(CLASSES)}.")
    clips = Clips(names.astype(str), label.astype(np.uint8), mfcc=mfcc.astype(np.float32))
    train, validation, test = by_speaker(clips, str(path))
    origin = f"trained on {len(train)} test clips and tested on {len(test)} others of other speakers, split by speaker"
    return Speech(train, validation, test, [], origin)
