"""Whatever form a staircase takes, it gives the staircase's own integers: compared at every sum that there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microstage.requantise import (
    Lines,
    MultiplyAddShift,
    Raw,
    Search,
    Shared,
    Tabled,
    bits,
    compact,
    equal,
    fit_shared,
    width,
)


def lines(random: np.random.Generator, rows: int) -> np.ndarray:
    """Return thresholds of rounded lines, a slope and an offset for each row."""
    slope, offset = random.uniform(3, 40, (rows, 1)), random.uniform(-50, 50, (rows, 1))
    return np.ceil(slope * (np.arange(random.integers(1, 40)) - 8.5) + offset).astype(np.int64)


def shifted(random: np.random.Generator, rows: int) -> np.ndarray:
    """Return one sigmoid for all rows, each of another bias."""
    levels = random.integers(2, 60)
    curve = np.log((np.arange(levels) + 0.5) / (levels - np.arange(levels) - 0.5)) * random.uniform(20, 60)
    return np.ceil(curve + random.uniform(-90, 90, (rows, 1))).astype(np.int64)


def quantised_before(random: np.random.Generator, rows: int) -> np.ndarray:
    """Return a sigmoid of a sum that is quantised first, by one scale and another bias for each row."""
    scale, levels = random.uniform(5, 30), random.integers(2, 60)
    place = np.rint(np.sort(random.normal(0, 20 * scale, levels)) / scale) - 0.5
    return np.ceil(scale * place + random.uniform(-90, 90, (rows, 1))).astype(np.int64)


def any_rows(random: np.random.Generator, rows: int) -> np.ndarray:
    """Return thresholds that have nothing in common."""
    return np.sort(random.integers(-300, 300, (rows, random.integers(0, 9))), axis=1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([lines, shifted, quantised_before, any_rows]))
@settings(max_examples=120, deadline=None)
def test_a_compact_form_is_right_at_every_sum_of_every_channel(seed, drawn):
    random = np.random.default_rng(seed)
    rows = int(random.integers(1, 7))
    search = Search(drawn(random, rows), int(random.choice([1, 1, 2, -1])), int(random.integers(-130, 3)))
    low = random.integers(-400, 0, rows)
    high = low + random.integers(0, 500, rows)
    found = compact(search, low, high, tables=bool(seed % 2))
    assert bits(found) <= bits(search)
    for row in range(rows):
        sums = np.arange(low[row], high[row] + 1)
        channel = np.full(sums.shape, row)
        assert np.array_equal(found.apply(sums, channel), search.apply(sums, channel))


def test_each_form_is_found_where_it_is_the_smallest():
    random = np.random.default_rng(0)
    same = compact(Search(np.arange(-7, 8)[None], 1, -8), -8, 7)
    clip = compact(Search(np.arange(-7, 8)[None], 1, -8), -30, 30)
    product = compact(Search(np.ceil((np.arange(-20, 20) + 0.5) * 7.3)[None].astype(np.int64), 1, -20), -200, 200)
    slopes = np.geomspace(20, 16_000, 20)[:, None]
    apart = compact(Search(np.ceil(slopes * (np.arange(255) + 0.5)).astype(np.int64), 1, 0), -5_000_000, 5_000_000)
    shared = compact(Search(shifted(random, 16), 1, 0), -500, 500, tables=True)
    table = compact(Search(quantised_before(random, 16), 1, 0), -900, 900, tables=True)
    assert isinstance(same, Raw) and bits(same) == 0
    assert isinstance(clip, MultiplyAddShift) and (clip.multiplier, clip.shift, clip.low, clip.high) == (1, 0, -8, 7)
    assert isinstance(product, MultiplyAddShift) and width(product.multiplier) <= 17
    assert isinstance(apart, Lines) and len(set(apart.shift)) > 1
    assert isinstance(shared, Shared)
    assert isinstance(table, Tabled) and len(set(table.line.multiplier)) == 1
    assert isinstance(compact(Search(any_rows(random, 5), 1, 0), -300, 300), Search)


def test_what_differs_at_one_sum_is_not_equal():
    search = Search(shifted(np.random.default_rng(1), 8), 1, 0)
    found = fit_shared(search, -500, 500)
    assert found is not None and equal(search, found, -500, 500)
    found.offset[3] += 1 << found.shift
    assert not equal(search, found, -500, 500)


@pytest.mark.parametrize(("values", "bits_each"), [([0, 0], 0), ([1], 1), ([255, 0], 8), ([-1, 0], 1), ([-129, 5], 9)])
def test_a_width_is_that_of_the_widest_integer(values, bits_each):
    assert width(np.array(values)) == bits_each
