"""A synthetic machine: healthy clips to train on, faults in the test alone, frames as their definition has them."""

import numpy as np
import pytest

from microstage.datasets.machine import frames
from microstage.datasets.machine.sound import FAULTS, RATE, SECONDS, clip

CLIPS = 16


@pytest.fixture(scope="module")
def heard():
    return frames.load(CLIPS, 1)


def test_faults_are_in_the_test_alone_and_no_window_is_in_two_parts(heard):
    assert not heard.train.faulty.any() and not heard.validation.faulty.any()
    assert heard.test.faulty.sum() * 2 == len(heard.test.faulty)
    windows = np.concatenate([part.windows for part in (heard.train, heard.validation, heard.test)])
    assert len(np.unique(windows, axis=0)) == len(windows)
    assert windows.dtype == np.float32 and np.abs(windows).max() < 4


def test_each_window_belongs_to_its_clip_and_equal_seeds_are_equal(heard):
    per_clip = np.bincount(heard.train.clip)
    assert len(per_clip) == CLIPS and len(set(per_clip)) == 1 and per_clip.sum() == len(heard.train.windows)
    again, other = (frames.load(CLIPS, seed).test.windows for seed in (1, 2))
    assert np.array_equal(heard.test.windows, again) and not np.array_equal(again, other)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_heard(fault):
    def mean_of(name):
        rng = np.random.Generator(np.random.PCG64(3))
        return np.mean([frames.windows(clip(name, rng)).mean(0) for _ in range(6)], axis=0)

    assert np.abs(mean_of(fault) - mean_of("")).max() > 0.1


def test_a_tone_lies_in_the_band_of_its_pitch():
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE * SECONDS) / RATE)
    found = frames.windows(tone)[3].reshape(5, 128)
    corners = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 130)[1:-1]
    nearest = np.abs(corners - 2595 * np.log10(1 + 1000 / 700)).argmin()
    assert set(found.argmax(1)) == {nearest}
    assert np.array_equal(found[1:], frames.windows(tone)[4].reshape(5, 128)[:-1])
