"""FPGAI's files: what is written is read again, in both forms; what is damaged is told in one sentence."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microstage.errors import IntegrityError
from microstage.fpgai import QuantisedLayer, read_binary, read_text, write_binary, write_text

ENDS = {"u1": (0, 255), "i4": (-(2**31), 2**31 - 1)}


def drawn(kind, shape, rng):
    low, high = ENDS[kind]
    values = rng.integers(low, high, shape, endpoint=True)
    return np.where(rng.random(shape) < 0.2, rng.choice([low, high], shape), values).astype(kind)


@st.composite
def networks(draw):
    rng = np.random.Generator(np.random.PCG64(draw(st.integers(0, 2**32))))
    rest = st.lists(st.integers(1, 5), min_size=1, max_size=3)
    shapes = draw(st.lists(st.tuples(st.integers(1, 23), rest), min_size=1, max_size=4))
    byte = st.integers(0, 255)
    return [
        QuantisedLayer(
            drawn("u1", (out, *rest), rng), drawn("i4", out, rng), draw(byte), draw(st.integers(0, 62)), draw(byte)
        )
        for out, rest in shapes
    ]


@given(layers=networks())
@settings(deadline=None, max_examples=60)
def test_both_forms_give_back_what_was_written(layers, tmp_path_factory):
    folder, shapes = tmp_path_factory.mktemp("net"), [layer.weight.shape for layer in layers]
    write_text(folder, "net", layers)
    assert read_text(folder, "net", shapes) == layers
    flat = read_text(folder, "net")
    assert all(np.array_equal(one.weight.ravel(), other.weight.ravel()) for one, other in zip(flat, layers))
    write_binary(folder, "net", layers)
    assert read_binary(folder, "net", shapes) == layers


def small(folder):
    """Two layers of 12 and 4 weights, of 3 and 2 biases."""
    weight = np.arange(12, dtype=np.uint8).reshape(3, 4)
    layers = [
        QuantisedLayer(weight, np.array([-5, 0, 70000], np.int32), 25, 12, 80),
        QuantisedLayer(weight[:2, :2] + 250, np.array([1, -1], np.int32), 1, 8, 128),
    ]
    write_text(folder, "net", layers)
    write_binary(folder, "net", layers)
    return layers


def test_the_text_is_fpgais(tmp_path):
    small(tmp_path)
    lines = ["#", "0,1,2,3,4,5,6,7,8,9", "10,11", "$", "-5,0,70000", "#", "250,251,254,255", "$", "1,-1", ""]
    assert (tmp_path / "net_weight.txt").read_text().split("\n") == lines
    assert (tmp_path / "net_quant.txt").read_text() == "25,12,80\n1,8,128\n"
    assert (tmp_path / "net_weight.bin").read_bytes() == bytes([*range(12), 250, 251, 254, 255])
    assert (tmp_path / "net_bias.bin").read_bytes()[:8] == b"\xfb\xff\xff\xff\0\0\0\0"


def test_a_layer_rounds_halves_up():
    layer = QuantisedLayer(np.zeros((1, 1), np.uint8), np.zeros(1, np.int32), 3, 2, 128)
    assert layer.requantised(np.array([-3, -2, -1, 0, 1, 2, 3])).tolist() == [-2, -1, -1, 0, 1, 2, 2]


DAMAGES = {
    "a number that is none": ("net_weight.txt", b"10,11", b"10,1x", "line 3 is '10,1x'; expected 10 whole numbers"),
    "a weight beyond a byte": ("net_weight.txt", b"10,11", b"10,256", "from line 2 on reach from 0 to 256"),
    "a bias beyond 32 bits": ("net_weight.txt", b"70000", b"2147483648", "biases from line 5 on reach from -5"),
    "a short line within": ("net_weight.txt", b"8,9\n", b"8\n", "line 2 is '0,1,2,3,4,5,6,7,8'"),
    "a weight that is missing": ("net_weight.txt", b"10,11", b"10", "layer 1 has 11 weights, which 3 biases do not"),
    "no biases": ("net_weight.txt", b"$\n1,-1\n", b"$\n", "there are no biases"),
    "a mark that is missing": ("net_weight.txt", b"$\n-5", b"-5", "breaks off or is no file of weights"),
    "marks in disorder": ("net_weight.txt", b"#\n250", b"$\n250", "expected '#'"),
    "an end that is missing": ("net_weight.txt", b"1,-1\n", b"1,-1", "breaks off: its last line has no end"),
    "nothing at all": ("net_weight.txt", b"", None, "breaks off"),
    "a layer without numbers": ("net_quant.txt", b"1,8,128\n", b"", "has 2 layers, and net_quant.txt 1 lines"),
    "two numbers": ("net_quant.txt", b"1,8,128", b"1,8", "line 2 is '1,8'; expected scale,shift,zero_point"),
    "a scale beyond a byte": ("net_quant.txt", b"25,", b"256,", "line 1 is '256,12,80'"),
    "a shift beyond 64 bits": ("net_quant.txt", b",12,", b",63,", "line 1 is '25,63,80'"),
    "numbers that break off": ("net_quant.txt", b"128\n", b"128", "breaks off"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_text_is_told_in_a_sentence(damage, tmp_path):
    name, old, new, said = DAMAGES[damage]
    small(tmp_path)
    whole = (tmp_path / name).read_bytes()
    assert new is None or old in whole
    (tmp_path / name).write_bytes(b"" if new is None else whole.replace(old, new, 1))
    with pytest.raises(IntegrityError, match=re.escape(said)) as told:
        read_text(tmp_path, "net")
    assert str(told.value).endswith(".") and "\n" not in str(told.value)


def test_files_of_another_network_are_told(tmp_path):
    layers = small(tmp_path)
    shapes = [layer.weight.shape for layer in layers]
    with pytest.raises(IntegrityError, match="12 weights and 3 biases in layer 1, expected 8 and 2"):
        read_text(tmp_path, "net", [(2, 4), (2, 2)])
    with pytest.raises(IntegrityError, match="2 layers, expected 1"):
        read_text(tmp_path, "net", shapes[:1])
    with pytest.raises(IntegrityError, match="has 16 bytes, expected 20: it is cut off, or of another network"):
        read_binary(tmp_path, "net", [(4, 4), (2, 2)])
    (tmp_path / "net_bias.bin").write_bytes(b"\0" * 19)
    with pytest.raises(IntegrityError, match="has 19 bytes, expected 20"):
        read_binary(tmp_path, "net", shapes)
    (tmp_path / "net_bias.bin").unlink()
    with pytest.raises(IntegrityError, match="net_bias.bin cannot be read: No such file"):
        read_binary(tmp_path, "net", shapes)
