"""Labelled images: what the readers of MNIST, CIFAR-10 and the built-in glyphs return, and the split into three."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage.datasets.recordings.reading import LARGEST
from microstage.errors import DatasetError
from microstage.untrusted.npz import arrays_of

__all__ = ["CLASSES", "LabelledImages", "ImageSet", "bytes_of", "checked", "from_archive", "split"]

CLASSES = 10


@dataclass(frozen=True)
class LabelledImages:
    """`pixels` uint8 [n, channels, height, width], `labels` uint8 [n]."""

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows) -> LabelledImages:
        return LabelledImages(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True)
class ImageSet:
    """Three splits that share no image; `about` says in words what was trained on and tested on."""

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    about: str


def split(images: LabelledImages, test: LabelledImages | None, held_out: int, seed: int, name: str) -> ImageSet:
    """Hold `held_out` images back to validate on, drawn by `seed`.

    As many more are held back to test on where there is no `test`.
    """
    needed = held_out * (1 if test is not None else 2)
    if needed >= len(images):
        raise DatasetError(f"{name} has {len(images)} images to train on; VALIDATION={held_out} leaves none of them.")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(images))
    tested = (
        "its own test images"
        if test is not None
        else f"{held_out} other images of the same {len(images)}: there are no test images"
    )
    test = images[order[held_out:needed]] if test is None else test
    train = images[np.sort(order[needed:])]
    return ImageSet(
        train, images[order[:held_out]], test, f"trained on {len(train)} images of {name}, tested on {tested}"
    )


def checked(images: LabelledImages, name: str) -> LabelledImages:
    """Return `images` themselves.

    `DatasetError` if labels and pixels do not belong together, or a label is no class.
    """
    if len(images.pixels) != len(images.labels):
        raise DatasetError(f"{name} has {len(images.pixels)} images and {len(images.labels)} labels.")
    if not len(images) or images.labels.max() >= CLASSES:
        raise DatasetError(f"{name} has {'a label beyond 9' if len(images) else 'no images'}; expected labels 0..9.")
    return images


def bytes_of(path: Path) -> bytes:
    """Return a file's content, unpacked if it is packed; `DatasetError` if it is damaged.

    The name does not tell: browsers unpack and keep it.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from None
    if len(content) > LARGEST:
        raise DatasetError(f"{path} holds more than {LARGEST >> 20} MiB; it is no file of this dataset.")
    return content


def from_archive(path: Path, shape: tuple[int, ...], half: str = "") -> LabelledImages:
    """Read an .npz with `x` uint8 [n, *shape] and `y` [n]; channels last, if there are several.

    With a `half`, the names are those of Keras: x_train, y_train.
    """
    try:
        pixels, labels = arrays_of(path, [f"x{half}", f"y{half}"], LARGEST).values()
    except ValueError as error:
        raise DatasetError(f"{path} is no archive of images `x{half}` with labels `y{half}`: {error}.") from None
    if pixels.dtype != np.uint8 or pixels.shape[1:] != shape or labels.ndim != 1:
        raise DatasetError(
            f"{path}: `x{half}` is {pixels.dtype} {list(pixels.shape)}, expected uint8 [n, "
            f"{', '.join(map(str, shape))}]."
        )
    pixels = pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, -1, 1)
    return checked(LabelledImages(np.ascontiguousarray(pixels), labels.astype(np.uint8)), str(path))
