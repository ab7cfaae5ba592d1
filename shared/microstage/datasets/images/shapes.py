"""Ten shapes, drawn: tilted, scaled, coloured, on paper that shades from one colour into another, under noise.

They are no photographs: they exist so that networks for small colour pictures run, are tested and can be timed where no
dataset is at hand.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microstage.datasets.images.image_set import LabelledImages

__all__ = ["NAMES", "SHAPE", "read"]

SHAPE = (3, 32, 32)
_NOISE = 25.0  # grey levels
_CONTRAST = (40.0, 120.0)  # grey levels that ink is lighter than paper, in each colour
_TILT = 0.5  # radians either way


def _radius(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.hypot(u, v)


def _largest(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v))


# Of each shape: where its ink is, in its own frame, which reaches from -1 to 1.
_INK: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "disc": lambda u, v: _radius(u, v) < 0.9,
    "ring": lambda u, v: (_radius(u, v) < 1) & (_radius(u, v) > 0.6),
    "half": lambda u, v: (_radius(u, v) < 1) & (v > -0.1),
    "crescent": lambda u, v: (_radius(u, v) < 1) & (_radius(u - 0.5, v) > 0.75),
    "square": lambda u, v: _largest(u, v) < 0.8,
    "frame": lambda u, v: (_largest(u, v) < 0.9) & (_largest(u, v) > 0.5),
    "triangle": lambda u, v: (v > -0.6) & (np.abs(u) * 1.73 + v < 1.1),
    "plus": lambda u, v: (np.minimum(np.abs(u), np.abs(v)) < 0.3) & (_largest(u, v) < 1),
    "bars": lambda u, v: (np.abs(np.abs(u) - 0.6) < 0.25) & (np.abs(v) < 0.9),
    "star": lambda u, v: _radius(u, v) < 0.62 + 0.38 * np.cos(5 * np.arctan2(v, u)),
}
NAMES = tuple(_INK)


def read(count: int, seed: int) -> tuple[LabelledImages, LabelledImages]:
    """Return (`count` pictures to train on, a quarter as many but at least 200 to test on)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    train, test = (_draw(size, rng) for size in (count, max(count // 4, 200)))
    return train, test


def _draw(count: int, rng: np.random.Generator) -> LabelledImages:
    """Draw pictures, the shapes in turn."""
    labels = np.arange(count) % len(NAMES)
    u, v = _frames(count, rng)
    ink = np.empty(u.shape, bool)
    for place, inside in enumerate(_INK.values()):
        rows = labels == place
        ink[rows] = inside(u[rows], v[rows])
    pixels = np.where(ink[:, None], *_colours(count, rng)) + rng.normal(0, _NOISE, (count, *SHAPE))
    return LabelledImages(pixels.clip(0, 255).astype(np.uint8), labels.astype(np.uint8))


def _frames(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's place in the frame of its picture's shape."""
    size = rng.uniform(7, 13, (count, 1, 1))
    angle = rng.uniform(-_TILT, _TILT, (count, 1, 1))
    y, x = ((np.arange(extent) - extent / 2) for extent in SHAPE[1:])
    down = (y[:, None] + rng.uniform(-4, 4, (count, 1, 1))) / size
    right = (x + rng.uniform(-4, 4, (count, 1, 1))) / size
    return right * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - right * np.sin(angle)


def _colours(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the colours of ink [n, 3, 1, 1] and of paper [n, 3, height, width]."""
    corners = rng.uniform(0, 130, (2, count, 3, 1, 1))
    share = np.linspace(0, 1, SHAPE[2]) * np.linspace(0.3, 1, SHAPE[1])[:, None]
    paper = corners[0] + 0.4 * (corners[1] - corners[0]) * share
    return corners[0] + rng.uniform(*_CONTRAST, (count, 3, 1, 1)), paper
