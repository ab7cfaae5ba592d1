"""Readers of labelled images: the published files as they are, and one sentence for anything else."""

import gzip
import hashlib
import pickle
import struct

import numpy as np
import pytest

from microstage.datasets import archives, download
from microstage.datasets.images import cifar10, figures, glyphs, mnist, shapes
from microstage.datasets.images.image_set import LabelledImages, split
from microstage.datasets.locations import files, folder
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
            (folder / f"{half}-{name}{'.gz' if packed else ''}").write_bytes(
                gzip.compress(content) if packed else content
            )
    return halves


def in_own_folder(name):
    return f"{name}/{name.replace('-idx', '.idx')}"


LAYOUTS = {
    "as published": ("", "{}.gz".format, True),
    "unpacked": ("", str, False),
    "a browser's": ("", "{}.gz".format, False),
    "with a dot": ("mnist", lambda name: name.replace("-idx", ".idx"), False),
    "torchvision's": ("MNIST/raw", str, False),
    "a folder each": ("", in_own_folder, False),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mnist_is_found_in_every_folder_that_its_archives_unpack_to(tmp_path, layout):
    below, called, packed = LAYOUTS[layout]
    (place := tmp_path / below).mkdir(parents=True, exist_ok=True)
    halves = digits(place, packed)
    for path in [path for path in place.iterdir() if path.is_file()]:
        target = place / called(path.name.removesuffix(".gz"))
        kept = path.rename(path.with_suffix(".moving"))
        target.parent.mkdir(exist_ok=True)
        kept.rename(target)
    for data in (tmp_path, folder("mnist", tmp_path)):
        for images, (pixels, labels) in zip(mnist.read(data), halves.values()):
            assert images.pixels.shape == (len(labels), 1, 28, 28) and images.pixels.dtype == np.uint8
            assert np.array_equal(images.pixels[:, 0], pixels) and np.array_equal(images.labels, labels)
    assert len(files("mnist", tmp_path)) == 4


def test_mnist_is_read_from_keras_archive(tmp_path):
    halves = digits(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    named = {
        f"{kind}_{half}": values
        for half, pair in zip(("train", "test"), halves.values())
        for kind, values in zip("xy", pair)
    }
    np.savez(tmp_path / "mnist.npz", **{name: values.astype(np.uint8) for name, values in named.items()})
    for images, (pixels, labels) in zip(mnist.read(folder("mnist", tmp_path)), halves.values()):
        assert np.array_equal(images.pixels[:, 0], pixels) and np.array_equal(images.labels, labels)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("train-images-idx3-ubyte.gz", b"\x1f\x8b not gzip", "cannot be read"),
        ("train-images-idx3-ubyte.gz", gzip.compress(b"\0\0\x08\x01"), "no IDX file"),
        (
            "train-images-idx3-ubyte.gz",
            gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 4)),
            "its header says",
        ),
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


def photographs(folder, ending):
    """CIFAR-10's six files of one record each, of the binary or of the Python version; the records."""
    rng = np.random.Generator(np.random.PCG64(1))
    records = rng.integers(0, 256, (6, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(6)
    folder.mkdir(parents=True, exist_ok=True)
    for record, name in zip(records, [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
        batch = {b"data": record[None, 1:], b"labels": [int(record[0])], b"filenames": [b"x.png"]}
        (folder / f"{name}{ending}").write_bytes(record.tobytes() if ending else pickle.dumps(batch, 2))
    return records


@pytest.mark.parametrize(
    "ending,below", [(".bin", "."), (".bin", "cifar-10-batches-bin"), ("", "cifar10/cifar-10-batches-py"), ("", ".")]
)
def test_cifar10_is_found_in_every_folder_that_its_archives_unpack_to(tmp_path, ending, below):
    records = photographs(tmp_path / below, ending)
    for data in (tmp_path, folder("cifar10", tmp_path)):
        train, test = cifar10.read(data)
        assert train.labels.tolist() == [0, 1, 2, 3, 4] and test.labels.tolist() == [5]
        assert test.pixels[0, 1, 2, 3] == records[5, 1 + 1024 + 2 * 32 + 3]  # green, third row, fourth column
    assert len(files("cifar10", tmp_path)) == 6
    (tmp_path / below / f"data_batch_3{ending}").write_bytes(b"\0" * 100)
    with pytest.raises(DatasetError, match="no number of records|no batch of"):
        cifar10.read(tmp_path)
    (tmp_path / below / f"data_batch_3{ending}").unlink()
    with pytest.raises(DatasetError, match=f"has no data_batch_3{ending}; `make data DATASET=cifar10`"):
        cifar10.read(tmp_path)


def test_the_version_for_matlab_is_refused(tmp_path):
    (tmp_path / "cifar-10-batches-mat").mkdir()
    (tmp_path / "cifar-10-batches-mat" / "data_batch_1.mat").write_bytes(b"MATLAB")
    with pytest.raises(DatasetError, match="version for MATLAB, which is not read"):
        cifar10.read(folder("cifar10", tmp_path))


class Harmful:
    def __reduce__(self):
        return print, ("run",)


def test_nothing_that_a_pickle_names_is_run(tmp_path, capsys):
    photographs(tmp_path, "")
    (tmp_path / "data_batch_2").write_bytes(pickle.dumps({b"data": Harmful(), b"labels": [1]}, 2))
    with pytest.raises(DatasetError, match="data_batch_2 is no batch .* asks for (builtins|__builtin__).print"):
        cifar10.read(tmp_path)
    assert not capsys.readouterr().out


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


DRAWN = {
    "glyphs": (lambda seed: glyphs.read(100, (3, 32, 32), seed), 10, 32),
    "shapes": (lambda seed: shapes.read(100, seed), 10, 32),
    "figures": (lambda seed: figures.read(100, 24, seed), 2, 24),
}


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_images_are_of_every_class_alike_and_follow_their_seed(name):
    read, classes, size = DRAWN[name]
    train, test = read(1)
    assert train.pixels.shape == (100, 3, size, size) and len(test) >= 200
    assert np.bincount(train.labels).tolist() == [100 // classes] * classes
    pictures = np.concatenate([train.pixels, test.pixels]).reshape(100 + len(test), -1)
    assert len(np.unique(pictures, axis=0)) == len(pictures), "no test image is one that was trained on"
    again, other = (read(seed)[0] for seed in (1, 2))
    assert np.array_equal(train.pixels, again.pixels) and not np.array_equal(train.pixels, other.pixels)
    assert isinstance(train[:5], LabelledImages) and len(train[:5]) == 5


def test_mnist_is_downloaded_by_digest_and_kept_as_published(tmp_path, monkeypatch):
    (served := tmp_path / "served").mkdir()
    digits(served)
    known = [
        archives.Archive(path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest(), ".", 64)
        for path in sorted(served.iterdir())
    ]
    monkeypatch.setitem(archives.ARCHIVES, "mnist", known)
    download.fetch("mnist", tmp_path / "data")
    train, test = mnist.read(folder("mnist", tmp_path / "data"))
    assert len(train) == 7 and len(test) == 3
    next(served.glob("t10k-images*")).write_bytes(b"something else")
    with pytest.raises(DatasetError, match="expected"):
        download.fetch("mnist", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / "mnist").exists()
