"""A synthetic vocabulary: ten words of two or three gliding tones, silence, and words that are none of the ten.

Not speech: it exists so that everything runs, is tested and can be timed where no dataset is at hand.
"""

from __future__ import annotations

import numpy as np

from microstage.datasets.speech.clips import CLASSES, RATE, SILENCE, UNKNOWN, Clips, Speech

__all__ = ["clips", "load", "recordings"]

_VOCABULARY = 7  # the words themselves are the same for every seed
_NOISES, _NOISE_SECONDS = 4, 8


def load(count: int, seed: int) -> Speech:
    """Return `count` clips to train on, a quarter as many to validate and half as many to test."""
    rng = np.random.Generator(np.random.PCG64(seed))
    train, validation, test = (
        clips(part, size, rng) for part, size in (("train", count), ("validation", count // 4), ("test", count // 2))
    )
    noise = [_noise(_NOISE_SECONDS * RATE, rng) for _ in range(_NOISES)]
    return Speech(train, validation, test, noise, "synthetic words (built in; no speech was used)")


def clips(part: str, count: int, rng: np.random.Generator) -> Clips:
    """Return `count` clips, classes in turn."""
    label, pcm = recordings(count, rng)
    names = np.array([f"{CLASSES[k]}/{part}_{row}.wav" for row, k in enumerate(label)], dtype=str)
    return Clips(names, label, pcm)


def recordings(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes uint8 [count], in turn, and the samples int16 [count, 16000] of as many clips."""
    words = _vocabulary()
    label = np.arange(count) % len(CLASSES)
    pcm = np.empty((count, RATE), np.int16)
    for row, k in enumerate(label):
        word = None if k == SILENCE else _random_word(rng) if k == UNKNOWN else words[k]
        pcm[row] = _spoken(word, rng)
    return label.astype(np.uint8), pcm


def _vocabulary() -> list[np.ndarray]:
    rng = np.random.Generator(np.random.PCG64(_VOCABULARY))
    return [_random_word(rng) for _ in range(UNKNOWN)]


def _random_word(rng: np.random.Generator) -> np.ndarray:
    """Draw a word; per syllable, two formants in Hz, at its begin and its end [syllables, 2, 2]."""
    syllables = rng.integers(2, 4)
    return np.stack([rng.uniform((250, 900), (900, 3200), (syllables, 2)) for _ in range(2)], axis=2)


def _spoken(word: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Return int16 [16000]: a speaker's pitch, pace, place and loudness, over noise."""
    samples = _noise(RATE, rng) / 2**15 * rng.uniform(0.02, 0.3)
    if word is not None:
        voice = np.concatenate([_syllable(formants * rng.normal(1, 0.04), rng) for formants in word])
        begin = rng.integers(0, RATE - len(voice))
        samples[begin : begin + len(voice)] += voice * rng.uniform(0.4, 1.0)
    return np.clip(samples * 2**14 * rng.uniform(0.2, 1.0), -(2**15), 2**15 - 1).astype(np.int16)


def _syllable(formants: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    length = int(RATE * rng.uniform(0.13, 0.22))
    t = np.linspace(0, 1, length)
    glide = formants[:, :1] + (formants[:, 1:] - formants[:, :1]) * t
    tones = np.sin(2 * np.pi * np.cumsum(glide, axis=1) / RATE + rng.uniform(0, 2 * np.pi, (2, 1)))
    pitch = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(90, 240) * np.arange(length) / RATE)
    return np.sin(np.pi * t) * pitch * (tones[0] + 0.6 * tones[1]) / 2


def _noise(length: int, rng: np.random.Generator) -> np.ndarray:
    """Return int16 noise whose spectrum falls with a random slope."""
    spectrum = np.fft.rfft(rng.normal(size=length))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1.0) ** rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum, length)
    return (noise / np.abs(noise).max() * 2**14).astype(np.int16)
