"""Golden vectors: the same bytes for the same integers, and a comparison that names what differs."""

import numpy as np
import pytest

from microstage import golden
from microstage.errors import ArtefactError, VerificationError


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
    with pytest.raises(VerificationError, match=r"At hidden 1 of 6 integers differ, first at \[1, 2\]: expected 0, found 7"):
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


def test_pickles_are_not_read(tmp_path):
    np.savez(tmp_path / "golden.npz", a=np.array([{"code": 1}], dtype=object))
    with pytest.raises(ArtefactError):
        golden.load(tmp_path / "golden.npz")
