"""Sets of images and of sounds whose headers lie: one sentence, and no more memory than the file is worth."""

import io
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from microstage.datasets.images import cifar10, mnist
from microstage.datasets.speech import speech_commands
from microstage.errors import DatasetError
from microstage.untrusted.npz import arrays_of

BATCHES = (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch")


def npy(shape, content=b"", kind="|u1"):
    """An array's file with a header of its own."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


def npz(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("shape", [(1 << 50, 28, 28), (1 << 20, 28, 28), (1 << 62, 1 << 62), (-1, 28, 28)])
def test_an_archive_that_declares_more_than_it_holds_is_one_sentence(tmp_path, shape):
    npz(tmp_path / "mnist_train.npz", x=npy(shape, b"\0" * 784), y=npy((1,), b"\0"))
    with pytest.raises(DatasetError, match="is no archive of images"):
        mnist.read(tmp_path)


def test_no_more_is_unpacked_than_a_set_of_images_has(tmp_path):
    path = npz(tmp_path / "x.npz", x=npy((1 << 22,), b"\0" * (1 << 22)), y=npy((1,), b"\0"))
    with pytest.raises(ValueError, match="unpack to 4194.* bytes, and at most 1048576 are read"):
        arrays_of(path, ["x"], largest=1 << 20)
    assert list(arrays_of(path, ["y"], largest=1 << 20)) == ["y"]
    with pytest.raises(ValueError, match="no array 'z'"):
        arrays_of(path, ["z"])
    for content in (b"", npy((3,), b"abc"), path.read_bytes()[:200], b"PK\3\4" * 100):
        path.write_bytes(content)
        with pytest.raises(ValueError):
            arrays_of(path)


def test_an_idx_file_is_as_long_as_its_header_says(tmp_path):
    for shape in ((1 << 31, 1 << 31, 1 << 31), (2, 28, 28)):
        for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
            (tmp_path / name).write_bytes(bytes((0, 0, 8, 3)) + struct.pack(">3I", *shape) + b"\0" * 784)
        with pytest.raises(DatasetError, match="holds 784 values, its header says"):
            mnist.read(tmp_path)


def nested(depth):
    values = [0] * 100
    for _ in range(depth):
        values = [values] * 100
    return values


class Array:
    """As a pickle makes one, without its values, or with a `state` of its own."""

    def __init__(self, shape, *state):
        self.made = (np.zeros(0, np.uint8).__reduce__()[0], (np.ndarray, shape, b"B"), *state)

    def __reduce__(self):
        return self.made


HOSTILE = {
    "nested lists": pickle.dumps({b"data": nested(3), b"labels": [0]}),
    "labels that are nested": pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": nested(3)}),
    "an array without its values": pickle.dumps({b"data": Array((1 << 16, 3072)), b"labels": [0]}),
    "an array of petabytes": pickle.dumps(
        {b"data": Array((0,), (1, (1 << 50,), np.dtype(np.uint8), False, b"abc")), b"labels": [0]}
    ),
    "an array of nothing, a billion times": pickle.dumps(
        {b"data": Array((0,), (1, (1 << 30,), np.dtype("V0"), False, b"")), b"labels": [0]}
    ),
    "room for as many entries as it says": b"\x80\x02Nr" + struct.pack("<I", 1 << 26) + b".",
    "a text longer than the file": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 50) + b"abc.",
    "another function": pickle.dumps(print),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_pickle_is_arrays_that_lie_in_its_file(tmp_path, hostile):
    for name in BATCHES:
        (tmp_path / name).write_bytes(HOSTILE[hostile])
    tracemalloc.start()
    try:
        with pytest.raises(
            DatasetError, match="data_batch_1 (is no batch of CIFAR-10's Python version|holds pixels of)"
        ) as caught:
            cifar10.read(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24 and len(str(caught.value)) < 2000
    finally:
        tracemalloc.stop()


def test_batches_in_order_are_read(tmp_path):
    for name in BATCHES:
        (tmp_path / name).write_bytes(
            pickle.dumps({b"data": np.full((2, 3072), 7, np.uint8), b"labels": [1, 2]}, protocol=2)
        )
    train, test = cifar10.read(tmp_path)
    assert len(train) == 10 and test.labels.tolist() == [1, 2] and (test.pixels == 7).all()


def wav(declared_riff, declared_data, rate=16000, content=b"\0\0" * 100):
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", declared_riff)
        + b"WAVEfmt "
        + form
        + b"data"
        + struct.pack("<I", declared_data)
        + content
    )


LYING = [
    wav(1 << 31, 1 << 30),
    wav(0, 200),
    wav(236, 200, rate=0xFFFFFFFF),
    wav(236, 1 << 24),
    b"RIFF" + b"\xff" * 60,
    b"\0" * 9,
]


@pytest.mark.parametrize("content", LYING)
def test_a_sound_that_lies_about_its_length_is_one_sentence(tmp_path, content):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(DatasetError, match="x.wav"):
        speech_commands.read_wav(tmp_path / "x.wav")
