"""Readers of labelled images: the published files as they are, and one sentence for anything else."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from microstage.datasets import archives, cifar10, download, glyphs, mnist
from microstage.datasets.images import Images, split
from microstage.datasets.locations import folder
from microstage.errors import DatasetError


def idx(values):
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def digits(folder, packed=True):
    """MNIST's four files with a few images; {half: (pixels, labels)}."""
    rng, halves = np.random.Generator(np.random.PCG64(0)), {}
    for half, count in (("train", 7), ("t10k", 3)):
        halves[half] = rng.integers(0, 256, (count, 28, 28)), rng.integers(0, 10, count)
        for name, values in zip(("images-idx3-ubyte", "labels-idx1-ubyte"), halves[half]):
            content = idx(values)
            (folder / f"{half}-{name}{'.gz' if packed else ''}").write_bytes(gzip.compress(content) if packed else content)
    return halves


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_as_published(tmp_path, packed):
    halves = digits(tmp_path, packed)
    for images, (pixels, labels) in zip(mnist.read(tmp_path), halves.values()):
        assert images.pixels.shape == (len(labels), 1, 28, 28) and images.pixels.dtype == np.uint8
        assert np.array_equal(images.pixels[:, 0], pixels) and np.array_equal(images.labels, labels)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("train-images-idx3-ubyte.gz", b"not gzip", "cannot be read"),
        ("train-images-idx3-ubyte.gz", gzip.compress(b"\0\0\x08\x01"), "no IDX file"),
        ("train-images-idx3-ubyte.gz", gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 4)), "its header says"),
        ("train-images-idx3-ubyte.gz", gzip.compress(idx(np.zeros((7, 2, 2)))), "expected .28, 28."),
        ("t10k-labels-idx1-ubyte.gz", gzip.compress(idx(np.zeros(2))), "3 images and 2 labels"),
        ("t10k-labels-idx1-ubyte.gz", gzip.compress(idx(np.full(3, 10))), "beyond 9"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, name, content, sentence):
    digits(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=sentence):
        mnist.read(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    digits(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match="train-labels-idx1-ubyte"):
        mnist.read(tmp_path)


def test_half_of_mnist_may_be_an_archive(tmp_path):
    halves = digits(tmp_path)
    for file in tmp_path.glob("train-*"):
        file.unlink()
    pixels, labels = halves["train"]
    np.savez(tmp_path / "mnist_train60k.npz", x=pixels.astype(np.uint8), y=labels.astype(np.uint8))
    train, _ = mnist.read(tmp_path)
    assert np.array_equal(train.pixels[:, 0], pixels) and np.array_equal(train.labels, labels)


def test_cifar10_as_published(tmp_path):
    rng = np.random.Generator(np.random.PCG64(1))
    records = rng.integers(0, 256, (6, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(6)
    for place, name in enumerate([*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]):
        (tmp_path / name).write_bytes(records[place].tobytes())
    train, test = cifar10.read(tmp_path)
    assert train.labels.tolist() == [0, 1, 2, 3, 4] and test.labels.tolist() == [5]
    assert test.pixels[0, 1, 2, 3] == records[5, 1 + 1024 + 2 * 32 + 3]  # green, third row, fourth column
    (tmp_path / "data_batch_3.bin").write_bytes(b"\0" * 100)
    with pytest.raises(DatasetError, match="no number of records"):
        cifar10.read(tmp_path)


def test_a_part_of_cifar10_has_no_test_of_its_own(tmp_path):
    pixels = np.random.Generator(np.random.PCG64(2)).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "cifar10_train.npz", x=pixels, y=np.arange(40) % 10)
    images, test = cifar10.read(tmp_path)
    assert test is None and images.pixels[7, 2, 5, 9] == pixels[7, 5, 9, 2]
    parts = split(images, test, 10, 1, "cifar10")
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [20, 10, 10]
    drawn = np.concatenate([part.pixels for part in (parts.train, parts.validation, parts.test)])
    assert len(np.unique(drawn.reshape(40, -1), axis=0)) == 40 and "there are no test images" in parts.about
    with pytest.raises(DatasetError, match="leaves none"):
        split(images, None, 20, 1, "cifar10")


def test_pickles_are_not_read(tmp_path):
    np.savez(tmp_path / "cifar10_train.npz", x=np.array([{}], dtype=object), y=np.zeros(1))
    with pytest.raises(DatasetError, match="no archive"):
        cifar10.read(tmp_path)


def test_glyphs_are_ten_different_things():
    train, test = glyphs.read(400, (3, 32, 32), 1)
    assert train.pixels.shape == (400, 3, 32, 32) and len(test) == 400
    assert np.bincount(train.labels).tolist() == [40] * 10
    again, _ = glyphs.read(400, (3, 32, 32), 1)
    assert np.array_equal(train.pixels, again.pixels)
    assert isinstance(train[:5], Images) and len(train[:5]) == 5


def test_mnist_is_downloaded_by_digest_and_kept_as_published(tmp_path, monkeypatch):
    (served := tmp_path / "served").mkdir()
    digits(served)
    known = [archives.Archive(path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest(), ".") for path in sorted(served.iterdir())]
    monkeypatch.setitem(archives.ARCHIVES, "mnist", known)
    download.fetch("mnist", tmp_path / "data")
    train, test = mnist.read(folder("mnist", tmp_path / "data"))
    assert len(train) == 7 and len(test) == 3
    next(served.glob("t10k-images*")).write_bytes(b"something else")
    with pytest.raises(DatasetError, match="expected"):
        download.fetch("mnist", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / "mnist").exists()
