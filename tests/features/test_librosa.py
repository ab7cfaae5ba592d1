"""The keyword spotter's features beside librosa's: the same mel bands, and the same cepstra of sounds of every kind."""

import librosa
import numpy as np

from microstage.datasets.speech.cepstra import COEFFICIENTS, FRAMES, RATE, mfcc, normalised

WINDOW, HOP, FFT, BANDS = 480, 320, 512, 40


def sounds() -> np.ndarray:
    """[6, 16000]: noise, a chirp, two tones, a click, speech-like bursts, silence."""
    rng, t = np.random.Generator(np.random.PCG64(0)), np.arange(RATE) / RATE
    click = np.zeros(RATE)
    click[8000] = 1.0
    bursts = rng.normal(0, 1, RATE) * (np.sin(2 * np.pi * 4 * t) > 0) * np.hanning(RATE)
    chirp, tones = (
        np.sin(2 * np.pi * (100 + 1900 * t) * t),
        np.sin(2 * np.pi * 440 * t) + 0.3 * np.sin(2 * np.pi * 3000 * t),
    )
    return np.stack([rng.normal(0, 1, RATE), chirp, tones, click, bursts, np.zeros(RATE)])


def by_librosa(samples: np.ndarray) -> np.ndarray:
    """Return librosa's [49, 10] of samples [16000]: its own transform, mel bands and DCT.

    The window is not centred in the FFT but begins it.
    """
    frames = librosa.util.frame(samples, frame_length=WINDOW, hop_length=HOP, axis=0) * librosa.filters.get_window(
        "hann", WINDOW
    )
    spectrum = np.abs(np.fft.rfft(frames, FFT))
    bands = librosa.filters.mel(
        sr=RATE, n_fft=FFT, n_mels=BANDS, fmin=20, fmax=4000, htk=True, norm=None, dtype=np.float64
    )
    # TensorFlow, whose training this is, draws the triangles over mel, librosa over hertz: the centres are the same
    logarithms = np.log(spectrum @ over_mel(bands).T + 1e-6)
    return librosa.feature.mfcc(S=logarithms.T, n_mfcc=COEFFICIENTS, dct_type=2, norm="ortho").T


def over_mel(bands: np.ndarray) -> np.ndarray:
    """Triangles between librosa's mel frequencies, straight over mel."""
    edges = librosa.hz_to_mel(librosa.mel_frequencies(BANDS + 2, fmin=20, fmax=4000, htk=True), htk=True)
    bins = librosa.hz_to_mel(librosa.fft_frequencies(sr=RATE, n_fft=FFT), htk=True)
    rising, falling = (
        (bins - edges[:-2, None]) / np.diff(edges)[:-1, None],
        (edges[2:, None] - bins) / np.diff(edges)[1:, None],
    )
    straight = np.maximum(0, np.minimum(rising, falling))
    assert ((straight > 0) == (bands > 1e-12)).mean() > 0.999, "other bands than librosa's"
    return straight


def test_the_features_are_librosas():
    samples = normalised(sounds())
    ours = mfcc(samples)
    assert ours.shape == (6, FRAMES, COEFFICIENTS)
    for found, wave in zip(ours, samples):
        wanted = by_librosa(wave)
        wanted[:, 0] *= np.sqrt(
            2
        )  # orthonormal scaling halves the first coefficient's energy; the published features do not
        assert np.abs(found - wanted).max() < 2e-4 * max(1, np.abs(wanted).max())
