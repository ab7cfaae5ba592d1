"""Ten synthetic glyphs, the digits of a 5 x 7 dot matrix: moved, sheared, coloured and covered with noise.

They are no photographs and no handwriting: they exist so that everything runs, is tested and can be timed where no
dataset is at hand.
"""

from __future__ import annotations

import numpy as np

from microstage.datasets.images.image_set import CLASSES, LabelledImages

__all__ = ["read"]

_ROWS = """
.###. ..#.. .###. ##### ...#. ##### ..##. ##### .###. .###.
#...# .##.. #...# ...#. ..##. #.... .#... ....# #...# #...#
#..## ..#.. ....# ..#.. .#.#. ####. #.... ...#. #...# #...#
#.#.# ..#.. ...#. ...#. #..#. ....# ####. ..#.. .###. .####
##..# ..#.. ..#.. ....# ##### ....# #...# .#... #...# ....#
#...# ..#.. .#... #...# ...#. #...# #...# .#... #...# ...#.
.###. .###. ##### .###. ...#. .###. .###. .#... .###. .##..
""".split()
_GLYPHS = np.array(
    [[[dot == "#" for dot in _ROWS[CLASSES * row + glyph]] for row in range(7)] for glyph in range(CLASSES)]
)
_SIZE = 2.6  # pixels a dot


def read(count: int, shape: tuple[int, int, int], seed: int) -> tuple[LabelledImages, LabelledImages]:
    """Return (`count` images of `shape` to train on, a quarter as many but at least 400 to test on)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    train, test = (_draw(size, shape, rng) for size in (count, max(count // 4, 400)))
    return train, test


def _draw(count: int, shape: tuple[int, int, int], rng: np.random.Generator) -> LabelledImages:
    """Draw images: each pixel looks up the dot that lies under it, in the glyph's own sheared and shifted frame."""
    channels, height, width = shape
    labels = np.arange(count) % CLASSES
    size = _SIZE * rng.uniform(0.85, 1.2, (count, 1, 1))
    y = (np.arange(height)[:, None] - height / 2 + rng.uniform(-3, 3, (count, 1, 1))) / size
    x = (np.arange(width) - width / 2 + rng.uniform(-3, 3, (count, 1, 1))) / size + rng.uniform(
        -0.2, 0.2, (count, 1, 1)
    ) * y
    row, column = (np.floor(axis + extent / 2).astype(int) for axis, extent in ((y + 0 * x, 7), (x + 0 * y, 5)))
    inside = (row >= 0) & (row < 7) & (column >= 0) & (column < 5)
    dots = inside & _GLYPHS[labels[:, None, None], row.clip(0, 6), column.clip(0, 4)]
    ink, paper = rng.uniform(130, 255, (count, channels, 1, 1)), rng.uniform(0, 90, (count, channels, 1, 1))
    pixels = np.where(dots[:, None], ink, paper) + rng.normal(0, 25, (count, channels, height, width))
    return LabelledImages(pixels.clip(0, 255).astype(np.uint8), labels.astype(np.uint8))
