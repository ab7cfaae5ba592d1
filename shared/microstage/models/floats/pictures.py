"""Pictures to be told apart: digits, shapes and figures that are drawn, or handwriting and photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from microstage.datasets.images import cifar10, figures, glyphs, mnist, shapes
from microstage.datasets.images.image_set import CLASSES, ImageSet, LabelledImages, split
from microstage.datasets.locations import folder, required
from microstage.models.floats.tasks import Classification
from microstage.models.shifted_images import ShiftedImages
from microstage.models.training import Examples, Splits

__all__ = ["PICTURES", "Pictures", "pictures"]

_GREY = 128  # grey levels of [0, 255] become [-1, 1) with it, which eight bits hold exactly
_DIGITS = tuple(map(str, range(CLASSES)))


@dataclass(frozen=True)
class Pictures:
    """`shape` [channels, height, width], none where a parameter says; by how many pixels pictures are moved while they
    are learnt, and whether they are mirrored.
    """

    names: Sequence[str]
    shape: tuple[int, int, int] | None
    shift: int = 0
    mirrored: bool = False


# Shapes and glyphs are drawn anywhere, and mirrored some would be others.
PICTURES = {
    "cifar10": Pictures(cifar10.NAMES, cifar10.SHAPE, 4, True),
    "figures": Pictures(figures.NAMES, None, 4, True),
    "glyphs": Pictures(_DIGITS, mnist.SHAPE),
    "mnist": Pictures(_DIGITS, mnist.SHAPE, 2),
    "shapes": Pictures(shapes.NAMES, shapes.SHAPE),
}
_READ = {"cifar10": cifar10.read, "mnist": mnist.read}


def pictures(p: Mapping[str, Any], data: Path | None) -> Classification:
    """Return the pictures that the parameters name; some are moved and mirrored while they are learnt."""
    images, of = _read(p, data), PICTURES[p["dataset"]]
    train = _examples(images.train)
    if of.shift:
        train = ShiftedImages(train.inputs, train.targets, of.shift, -1.0, of.mirrored)
    splits = Splits(train, _examples(images.validation), _examples(images.test))
    return Classification(splits, images.about, of.names)


def _read(p: Mapping[str, Any], data: Path | None) -> ImageSet:
    name, seed = p["dataset"], p["seed"]
    if name in _READ:
        return split(*_READ[name](folder(name, required(name, data))), p["held_out"], seed, name)
    drawn = _drawn(name, p)
    return split(*drawn, len(drawn[0]) // 8, seed, f"{name} (drawn; no photograph was used)")


def _drawn(name: str, p: Mapping[str, Any]) -> tuple[LabelledImages, LabelledImages]:
    if name == "glyphs":
        return glyphs.read(p["images"], mnist.SHAPE, p["seed"])
    return (
        shapes.read(p["images"], p["seed"]) if name == "shapes" else figures.read(p["images"], p["pixels"], p["seed"])
    )


def _examples(images: LabelledImages) -> Examples:
    levels = (torch.tensor(images.pixels).float() - _GREY) / _GREY
    return Examples(levels, torch.from_numpy(images.labels).long())
