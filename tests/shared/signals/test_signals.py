"""Signal processing against sums of sines whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from microstage.errors import DatasetError, ParameterError
from microstage.signals import (
    aligned,
    block_float,
    constant,
    gated_mean,
    groups,
    half_cycle_coefficients,
    half_cycle_dft,
    harmonic_amplitudes,
    interpolated_dft,
    least_squares_odd,
    linear_regression,
    nearest_neighbour,
    resample_synchronous,
    ridge,
    running_mean,
    subgroups,
    thd,
    window_length,
    windows,
)
from microstage.signals.gain import bits_at, largest, window_scale


def wave(cycles, per_cycle, parts):
    """Sum of (order, amplitude, phase) over whole cycles."""
    t = np.arange(round(cycles * per_cycle)) / per_cycle
    return sum(a * np.cos(2 * np.pi * order * t + phase) for order, a, phase in parts)


@pytest.mark.parametrize("cycles", [10, 12])
def test_harmonics_groups_and_subgroups_of_61000_4_7(cycles):
    interharmonic = 3 + 1 / cycles  # one 5 Hz bin above the third harmonic, and one at half way
    middle = 3 + 0.5
    x = wave(cycles, 256, [(1, 10, 0.3), (3, 3, 1), (interharmonic, 0.4, 2), (middle, 0.8, 1), (5, 2, 0), (7, 1, 0)])
    assert harmonic_amplitudes(x, cycles) == pytest.approx([10, 3, 2, 1])
    assert subgroups(x, cycles)[1] == pytest.approx(np.hypot(3, 0.4))
    assert groups(x, cycles)[1] == pytest.approx(np.sqrt(3**2 + 0.4**2 + 0.8**2 / 2))
    assert groups(x, cycles)[0] == pytest.approx(10)


def test_thd_is_of_the_odd_harmonics_over_the_first():
    assert thd(np.array([[10.0, 3.0, 2.0, 1.0]])) == pytest.approx([np.sqrt(14) / 10])
    assert np.isnan(thd(np.zeros((1, 4)))).all()


@given(st.integers(1, 9), st.integers(64, 600), st.floats(0, 6.28))
def test_synchronous_resampling_keeps_every_component_below_nyquist(cycles, per_cycle, phase):
    parts = [(1, 10, phase), (7, 2, 1), (31, 0.5, 2)]
    assert resample_synchronous(wave(cycles, per_cycle, parts), cycles) == pytest.approx(
        wave(cycles, 64, parts), abs=1e-9
    )


def test_resampling_drops_what_would_fold_back():
    assert resample_synchronous(wave(4, 512, [(1, 1, 0), (70, 1, 0)]), 4) == pytest.approx(
        wave(4, 64, [(1, 1, 0)]), abs=1e-9
    )


@given(st.integers(-58, 58), st.integers(8, 12), hnp.arrays(np.float64, (3, 16), elements=st.floats(-1, 1, width=16)))
def test_block_float_is_exact_under_powers_of_two_and_within_half_a_level(shift, bits, x):
    x[:, 0] = 1.0
    integers, exponent = block_float(x, bits=bits)
    scaled, shifted = block_float(np.ldexp(x, shift), bits=bits)
    assert (integers == scaled).all() and (shifted == exponent + shift).all()
    assert np.abs(integers).max() <= largest(bits) and integers.dtype == (np.int8 if bits == 8 else np.int16)
    level = window_scale(bits)
    assert bits_at(level) == bits and np.abs(integers * level - x).max() <= level / 2 + level * (x.max() == 1)


def test_block_float_at_the_ends():
    integers, exponent = block_float(np.array([[0.0] * 8, [2.0**-63] * 8, [2.0**60] * 8]))
    assert exponent.tolist() == [-60, -60, 60] and integers.max(1).tolist() == [0, 16, 127]
    for beyond in (np.nan, np.inf, np.nextafter(2.0**60, np.inf), -1e40):
        with pytest.raises(DatasetError, match="Window 1 "):
            block_float(np.array([[1.0, 2.0], [1.0, beyond]]))
    with pytest.raises(DatasetError, match=r"Window 0 reaches 300; expected at most 2\^8 = 256"):
        block_float(np.array([[1.0, 300.0]]), (-8, 8))


@given(st.floats(0, 6.28), st.floats(0.1, 50))
def test_textbook_methods_are_exact_on_odd_harmonics(phase, amplitude):
    x = amplitude * wave(0.5, 64, [(1, 1, phase), (3, 0.3, 1), (5, 0.2, 2), (7, 0.1, 3)])[None]
    for method in (half_cycle_dft, least_squares_odd):
        assert method(x)[0] == pytest.approx(amplitude * np.array([1, 0.3, 0.2, 0.1]), rel=1e-9)
    with pytest.raises(ParameterError):
        half_cycle_dft(x[:, :31])


@given(st.floats(-0.04, 0.04), st.floats(0, 6.28), st.integers(4, 12))
def test_the_interpolated_dft_is_right_where_the_mains_are_off_their_frequency(deviation, phase, cycles):
    parts = [
        ((1 + deviation) * order, size, phase * order) for order, size in ((1, 10), (2, 0.5), (3, 3), (5, 2), (7, 1))
    ]
    assert interpolated_dft(wave(cycles, 64, parts)[None])[0] == pytest.approx([10, 3, 2, 1], abs=0.06)


def test_means_run_on_and_a_gated_one_starts_anew_at_a_jump():
    estimates = np.array([10.0, 12, 11, 20, 20.2, 19.8])[None, :, None] * np.array([1, 0.3, 0.2, 0.1])
    assert running_mean(estimates)[0, :, 0] == pytest.approx([10, 11, 11, 13.25, 14.64, 15.5])
    assert gated_mean(estimates)[0, :, 0] == pytest.approx([10, 12, 11, 20, 20.1, 20])
    x = wave(4, 64, [(1, 10, 1), (2, 1, 2), (3, 3, 0), (5, 1, 0), (6.5, 1, 1), (7, 0.5, 1)])
    so_far = running_mean(aligned(half_cycle_coefficients(x.reshape(1, 8, 32)), 32))
    assert np.abs(so_far[0, 5]) == pytest.approx(harmonic_amplitudes(x[:192], 3))
    assert gated_mean(estimates, jump=0.2)[0, :, 3] == pytest.approx([1, 1.1, 1.1, 2, 2.01, 2])


def test_ridge_learns_the_dft_and_a_neighbour_gives_its_own_answer():
    rng = np.random.Generator(np.random.PCG64(0))

    def drawn(count):
        coefficients = rng.normal(size=(count, 4)) + 1j * rng.normal(size=(count, 4))
        turns = np.exp(2j * np.pi * np.outer((1, 3, 5, 7), np.arange(32)) / 64)
        return (coefficients @ turns).real * 10.0, coefficients * 10.0

    train, held_out, (x, wanted) = drawn(500), drawn(50), drawn(50)
    assert ridge(train, held_out, x) == pytest.approx(np.abs(wanted), abs=1e-4)
    assert np.abs(linear_regression(train, x)) == pytest.approx(np.abs(wanted), abs=1e-4)
    assert constant(train, x) == pytest.approx(np.tile(np.median(np.abs(train[1]), axis=0), (50, 1)))
    found = nearest_neighbour((train[0], np.abs(train[1])), train[0][[7, 3]] + 1e-6)
    assert (found == np.abs(train[1])[[7, 3]]).all()


def test_window_lengths_and_cutting():
    assert [window_length(c) for c in (0.1, 0.25, 0.5, 1, 4)] == [6, 16, 32, 64, 256]
    with pytest.raises(ParameterError, match="at least 6"):
        window_length(0.05)
    ramp = np.arange(10.0)
    assert windows(ramp, 4, 3).tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert windows(ramp, 4, 9, periodic=True).tolist() == [[0, 1, 2, 3], [9, 0, 1, 2]]
    with pytest.raises(DatasetError, match="shorter"):
        windows(ramp, 11)
