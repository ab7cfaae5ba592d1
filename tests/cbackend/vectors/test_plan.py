"""Golden vectors that do not fit the network are told before anything is published."""

import shutil

import numpy as np
import pytest


@pytest.fixture
def copy(harmonic_source, tmp_path):
    """`copy(change)` is the network of `harmonic_source` with its golden vectors changed in place."""

    def changed(change):
        folder = shutil.copytree(harmonic_source, tmp_path / "in")
        golden = dict(np.load(folder / "golden.npz"))
        change(golden)
        np.savez(folder / "golden.npz", **golden)
        return folder

    return changed


def test_a_value_outside_the_proven_range_ends_with_code_3(copy, run_stage, capfd):
    assert run_stage(copy(lambda golden: golden["harmonics"].__setitem__((0, 0), 10**6)))[0] == 3
    assert "is proven to lie in" in capfd.readouterr().err


def test_a_missing_boundary_is_named(copy, run_stage, capfd):
    assert run_stage(copy(lambda golden: golden.pop("cell")))[0] == 2
    assert "no boundary cell" in capfd.readouterr().err
