"""Pictures to be told apart: shapes and figures that are drawn, or photographs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from microstage.datasets.images import cifar10, figures, shapes
from microstage.datasets.images.image_set import ImageSet, LabelledImages, split
from microstage.datasets.locations import folder, required
from microstage.models.shifted_images import ShiftedImages
from microstage.models.tiny.tasks import Classification
from microstage.models.training import Examples, Splits

__all__ = ["pictures"]

_NAMES = {"shapes": shapes.NAMES, "figures": figures.NAMES, "cifar10": cifar10.NAMES}
_MOVED = ("cifar10", "figures")  # shapes are drawn anywhere, and mirrored some would be others
_SHIFT = 4  # pixels
_GREY = 128  # grey levels of [0, 255] become [-1, 1) with it, which eight bits hold exactly


def pictures(p: Mapping[str, Any], data: Path | None) -> Classification:
    """Return the pictures that the parameters name; some are moved and mirrored while they are learnt."""
    images, name = _read(p, data), p["dataset"]
    train = _examples(images.train)
    if name in _MOVED:
        train = ShiftedImages(train.inputs, train.targets, _SHIFT, -1.0, mirrored=True)
    splits = Splits(train, _examples(images.validation), _examples(images.test))
    return Classification(splits, images.about, _NAMES[name])


def _read(p: Mapping[str, Any], data: Path | None) -> ImageSet:
    name, seed = p["dataset"], p["seed"]
    if name == "cifar10":
        return split(*cifar10.read(folder(name, required(name, data))), p["held_out"], seed, name)
    drawn = shapes.read(p["images"], seed) if name == "shapes" else figures.read(p["images"], p["pixels"], seed)
    return split(*drawn, len(drawn[0]) // 8, seed, f"{name} (drawn; no photograph was used)")


def _examples(images: LabelledImages) -> Examples:
    levels = (torch.from_numpy(images.pixels).float() - _GREY) / _GREY
    return Examples(levels, torch.from_numpy(images.labels).long())
