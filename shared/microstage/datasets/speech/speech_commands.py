"""Speech Commands v2 in its official folder layout, as twelve classes.

Warden, "Speech Commands: a dataset for limited-vocabulary speech recognition", arXiv:1804.03209. A folder per word,
`validation_list.txt` and `testing_list.txt`, `_background_noise_`; the test set of twelve classes (with `_silence_` and
`_unknown_`) is an archive of its own, unpacked into a sub-folder. Silence to train on is cut from the background noise,
a second every half second; its `running_tap.wav` validates. So counted, there are 85,511, 10,102 and 4,890 clips.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microstage.datasets.recordings.reading import content_of
from microstage.datasets.speech.clips import RATE, SILENCE, Clips, Speech, by_speaker, label_of
from microstage.errors import DatasetError

__all__ = ["load", "read_wav"]

_NOISE = "_background_noise_"
_VALIDATING_NOISE = "running_tap.wav"
_LISTS = ("validation_list.txt", "testing_list.txt")
_HOP = RATE // 2
_PCM = bytes.fromhex("0100000000001000800000aa00389b71")  # KSDATAFORMAT_SUBTYPE_PCM
_UNTOLD = (1 << 30) - 64  # what writes to a pipe declares as many samples as there can be
_LARGEST = 1 << 26  # bytes of one file; the longest noise is 3 MB
_MOST = 1 << 18  # clips: a second of each is kept, however short it is


def load(folder: Path, split: str) -> Speech:
    """Load the clips under `folder`.

    `official` follows the lists and the test archive; `speakers` draws speakers from all clips there.
    """
    noise = {path.name: read_wav(path) for path in sorted((folder / _NOISE).glob("*.wav"))}
    if split == "speakers":
        clips = _read([path for path in sorted(folder.glob("**/*.wav")) if path.parent.name != _NOISE])
        train, validation, test = by_speaker(clips, str(folder))
        published = (folder / "_silence_").is_dir() and not any((folder / name).exists() for name in _LISTS)
        kind = "test clips" if published else "clips"  # the test archive alone
        origin = f"trained on {len(train)} {kind} and tested on {len(test)} of other speakers, split by speaker"
        return Speech(train, validation, test, [*noise.values()], origin)
    return _official(folder, noise)


def _official(folder: Path, noise: dict[str, np.ndarray]) -> Speech:
    missing = [name for name in _LISTS if not (folder / name).is_file()]
    if missing:
        raise DatasetError(
            f"{folder} has no {missing[0]}, so it is not the whole dataset; SPLIT=speakers splits the clips that are "
            "there."
        )
    listed = [set(content_of(folder / name).decode(errors="replace").split()) for name in _LISTS]
    words = sorted(path for path in folder.glob("*/*.wav") if not path.parent.name.startswith("_"))
    part = [
        next((k for k, names in enumerate(listed) if path.relative_to(folder).as_posix() in names), -1)
        for path in words
    ]
    spoken = {k: [path for path, p in zip(words, part) if p == k] for k in (-1, 0, 1)}
    train = _joined(_read(spoken[-1]), _silence({n: x for n, x in noise.items() if n != _VALIDATING_NOISE}))
    validation = _joined(_read(spoken[0]), _silence({n: x for n, x in noise.items() if n == _VALIDATING_NOISE}))
    archive = next((path.parent for path in sorted(folder.glob("*/_silence_"))), None)
    test = _read(sorted(archive.glob("*/*.wav")) if archive else spoken[1])
    if not all(map(len, (train, validation, test))):
        raise DatasetError(f"{folder} lists clips that are not there; SPLIT=speakers splits the clips that are.")
    whole = "the official test set" if archive else "the clips of testing_list.txt (no silence among them)"
    return Speech(train, validation, test, [*noise.values()], f"trained on {len(train)} clips, tested on {whole}")


def _read(paths: Sequence[Path]) -> Clips:
    if len(paths) > _MOST:
        raise DatasetError(f"{len(paths)} clips of speech are too many; at most {_MOST} are read.")
    pcm = np.zeros((len(paths), RATE), np.int16)
    for row, path in enumerate(paths):
        samples = read_wav(path)[:RATE]
        pcm[row, : len(samples)] = samples  # a short clip ends in silence
    names = np.array([f"{path.parent.name}/{path.name}" for path in paths], dtype=str)
    return Clips(names, np.array([label_of(path.parent.name) for path in paths], np.uint8), pcm)


def _silence(noise: dict[str, np.ndarray]) -> Clips:
    cut = [
        (f"_silence_/{name}:{start}", samples[start : start + RATE])
        for name, samples in noise.items()
        for start in range(0, len(samples) - RATE + 1, _HOP)
    ]
    pcm = np.array([samples for _, samples in cut], np.int16).reshape(len(cut), RATE)
    return Clips(np.array([name for name, _ in cut], dtype=str), np.full(len(cut), SILENCE, np.uint8), pcm)


def _joined(a: Clips, b: Clips) -> Clips:
    return Clips(np.concatenate([a.name, b.name]), np.concatenate([a.label, b.label]), np.concatenate([a.pcm, b.pcm]))


def read_wav(path: Path) -> np.ndarray:
    """Return int16 samples of a 16 kHz mono file; `DatasetError` for any other."""
    try:
        if path.stat().st_size > _LARGEST:
            raise DatasetError(f"{path} has {path.stat().st_size} bytes, too many for a clip of speech.")
        with wave.open(io.BytesIO(_plain(path.read_bytes())), "rb") as file:
            found, declared = (file.getframerate(), file.getnchannels(), 8 * file.getsampwidth()), file.getnframes()
            frames = file.readframes(declared)
    except (OSError, EOFError, wave.Error, ValueError) as error:
        raise DatasetError(
            f"{path} is no readable WAV file: {str(error) or 'it is empty, or ends within its header'}."
        ) from None
    if found != (RATE, 1, 16):
        raise DatasetError(
            f"{path} has {found[0]} Hz, {found[1]} channels, {found[2]} bits; expected {RATE} Hz, 1 channel, 16 bits."
        )
    if not frames:
        raise DatasetError(f"{path} is no clip of speech: it holds no samples.")
    if len(frames) // 2 < declared < _UNTOLD:
        raise DatasetError(f"{path} is cut short: it holds {len(frames) // 2} of {declared} samples.")
    return np.frombuffer(frames[: len(frames) // 2 * 2], "<i2").astype(np.int16)


def _plain(content: bytes) -> bytes:
    """Return `content` with the tag of PCM where it has that of WAVE_FORMAT_EXTENSIBLE and says that it is PCM.

    `wave` does not look further than the tag.
    """
    place = content.find(b"fmt ", 12)
    if place > 0 and content[place + 8 : place + 10] == b"\xfe\xff" and content[place + 32 : place + 48] == _PCM:
        return content[: place + 8] + b"\x01\x00" + content[place + 10 :]
    return content
