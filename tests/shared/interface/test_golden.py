"""Golden vectors: the same bytes for the same integers, and a comparison that names what differs."""

import zipfile

import numpy as np
import pytest

from microstage.errors import ArtefactError, VerificationError
from microstage.interface import golden


def test_equal_arrays_are_equal_bytes_whatever_their_order_and_memory_layout(tmp_path):
    a, b = np.arange(12, dtype=np.int8).reshape(3, 4), np.ones((2, 2))
    golden.save(tmp_path / "one.npz", {"a": a, "b": b})
    golden.save(tmp_path / "two.npz", {"b": b, "a": np.asfortranarray(a)})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    loaded = golden.load(tmp_path / "one.npz")
    assert loaded["a"].dtype == np.int8 and (loaded["a"] == a).all() and sorted(loaded) == ["a", "b"]


def test_a_difference_is_named():
    expected = np.zeros((2, 3), np.int64)
    found = expected.copy()
    found[1, 2] = 7
    with pytest.raises(
        VerificationError, match=r"At hidden 1 of 6 integers differ, first at \[1, 2\]: expected 0, found 7"
    ):
        golden.compare("hidden", expected, found)
    with pytest.raises(VerificationError, match="shape"):
        golden.compare("hidden", expected, expected.reshape(3, 2))
    with pytest.raises(VerificationError, match="nothing to compare"):
        golden.compare("hidden", expected[:0], expected[:0])
    assert golden.compare("hidden", expected, expected).compared == 6


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", None])
def test_a_file_without_vectors_is_one_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "golden.npz").write_bytes(content)
    with pytest.raises(ArtefactError, match="holds no golden vectors"):
        golden.load(tmp_path / "golden.npz")


def archive(path, **members: bytes):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def headed(shape: str, values: bytes = b"") -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + values


def lying(path, size: int):
    """An archive that says that its member unpacks to another size."""
    whole = bytearray(archive(path, x=headed("(1,)", bytes(4))).read_bytes())
    place = whole.find(b"PK\x01\x02") + 24
    whole[place : place + 4] = size.to_bytes(4, "little")
    path.write_bytes(bytes(whole))


@pytest.mark.parametrize("shape", ["(1000000, 1000000)", "(2,)", "(0,)", "(-1,)", "5", "(" * 3000])
def test_an_array_that_is_not_as_long_as_it_says_is_refused_before_room_is_made(tmp_path, shape):
    archive(tmp_path / "golden.npz", x=headed(shape, bytes(4)))
    with pytest.raises(ArtefactError, match="GOLDEN holds no golden vectors: "):
        golden.load(tmp_path / "golden.npz", "GOLDEN")


@pytest.mark.parametrize(("size", "said"), [(1, "holds no golden vectors"), (3 << 30, "unpack to 3221225472 bytes")])
def test_an_archive_of_another_size_than_it_says_is_refused(tmp_path, size, said):
    lying(tmp_path / "golden.npz", size)
    with pytest.raises(ArtefactError, match=said):
        golden.load(tmp_path / "golden.npz")


def test_pickles_are_not_read(tmp_path):
    np.savez(tmp_path / "golden.npz", a=np.array([{"code": 1}], dtype=object))
    with pytest.raises(ArtefactError):
        golden.load(tmp_path / "golden.npz")
