"""People, drawn, among clutter; and clutter alone: a stand-in for person detection.

They are no photographs, and no accuracy on them says anything about one that was measured on photographs. A person is a
head on a body with two arms and two legs, in some pose and rather warm colours. Clutter are boxes, poles, balls and
trees in cooler ones: a ball on a pole is no person.
"""

from __future__ import annotations

import numpy as np

from microstage.datasets.images.image_set import LabelledImages

__all__ = ["NAMES", "read"]

NAMES = ("nobody", "person")
_CLUTTER = (3, 8)  # pieces in a picture
_NOISE = 15.0  # grey levels
_COOL, _WARM = np.array([[0.6, 0.9, 1.0], [1.0, 0.8, 0.6]]).reshape(2, 3, 1, 1)  # of clutter, of clothes
_SKIN = np.array([[90.0, 60.0, 45.0], [250.0, 215.0, 190.0]])  # the darkest and the lightest


def read(count: int, size: int, seed: int) -> tuple[LabelledImages, LabelledImages]:
    """Return (`count` pictures of `size` pixels either way to train on, a quarter as many but at least 200 to test
    on).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    train, test = (_draw(number, size, rng) for number in (count, max(count // 4, 200)))
    return train, test


def _draw(count: int, size: int, rng: np.random.Generator) -> LabelledImages:
    labels = np.arange(count) % len(NAMES)
    pixels = np.stack([_Canvas(size, rng).scene(person=bool(label)) for label in labels])
    return LabelledImages(pixels, labels.astype(np.uint8))


class _Canvas:
    """A picture [3, size, size] that is painted on, the last piece in front. Lengths are shares of its size."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.rng, self.size = rng, size
        self.y, self.x = np.indices((size, size)) / size
        sky, ground = self._colour(), self._colour()
        self.pixels = np.where(self.y < rng.uniform(0.3, 0.8), sky, ground)

    def scene(self, person: bool) -> np.ndarray:
        """Paint a whole picture and return it, uint8."""
        pieces = self.rng.integers(*_CLUTTER)
        behind = self.rng.integers(1, pieces) if person else pieces
        for _ in range(behind):
            self._piece()
        if person:
            self._person()
        for _ in range((pieces - behind) // 3):
            self._piece()
        noisy = self.pixels + self.rng.normal(0, _NOISE, self.pixels.shape)
        return noisy.clip(0, 255).astype(np.uint8)

    def _piece(self) -> None:
        (self._box, self._pole, self._ball, self._tree)[self.rng.integers(4)]()

    def _box(self) -> None:
        x, y, width, height = self.rng.uniform((0, 0.2, 0.04, 0.04), (1, 1, 0.2, 0.2))
        self._paint((np.abs(self.x - x) < width) & (np.abs(self.y - y) < height))

    def _pole(self) -> None:
        x, top, length, width = self.rng.uniform((0, 0, 0.2, 0.01), (1, 0.6, 0.6, 0.03))
        self._limb((x, top), (x + self.rng.normal(0, 0.05), top + length), width, self._colour())

    def _ball(self) -> None:
        x, y, radius = self.rng.uniform((0, 0, 0.02), (1, 1, 0.12))
        self._paint(np.hypot(self.x - x, self.y - y) < radius)

    def _tree(self) -> None:
        x, y, radius, height = self.rng.uniform((0, 0.1, 0.05, 0.2), (1, 0.5, 0.12, 0.5))
        self._limb((x, y), (x, y + height), radius / 4, self._colour())
        self._paint(np.hypot(self.x - x, self.y - y) < radius)

    def _person(self) -> None:
        """Paint legs, arms, body and head of somebody whose feet stand in the picture."""
        rng = self.rng
        tall = rng.uniform(0.5, 0.95)
        foot = rng.uniform(max(0.6, tall), 0.98)
        x, skin, shirt, trousers = rng.uniform(0.15, 0.85), self._skin(), self._colour(_WARM), self._colour(_WARM)
        hip, shoulder, head = (foot - share * tall for share in (0.47, 0.8, 0.91))
        lean = rng.normal(0, 0.02) * tall
        for side in (-1, 1):
            stride, swing = rng.uniform((0.03, 0.05), (0.14, 0.28)) * tall * side
            self._limb((x, hip), (x + stride, foot), 0.05 * tall, trousers)
            lift = rng.uniform(-0.1, 0.38) * tall
            self._limb((x + lean + 0.08 * side * tall, shoulder), (x + swing, shoulder + lift), 0.035 * tall, skin)
        self._limb((x, hip), (x + lean, shoulder), 0.12 * tall, shirt)
        self._paint(np.hypot(self.x - x - lean, self.y - head) < 0.085 * tall, skin)

    def _limb(self, begin: tuple[float, float], end: tuple[float, float], width: float, colour: np.ndarray) -> None:
        """Paint what lies within `width` of the line between two points."""
        along = np.subtract(end, begin)
        right, down = self.x - begin[0], self.y - begin[1]
        share = ((right * along[0] + down * along[1]) / (along @ along)).clip(0, 1)
        self._paint(np.hypot(right - share * along[0], down - share * along[1]) < width, colour)

    def _paint(self, inside: np.ndarray, colour: np.ndarray | None = None) -> None:
        self.pixels = np.where(inside, self._colour() if colour is None else colour, self.pixels)

    def _skin(self) -> np.ndarray:
        share = self.rng.uniform()
        return (share * _SKIN[0] + (1 - share) * _SKIN[1]).reshape(3, 1, 1)

    def _colour(self, tint: np.ndarray = _COOL) -> np.ndarray:
        return self.rng.uniform(0, 255, (3, 1, 1)) * tint
