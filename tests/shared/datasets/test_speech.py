"""Speech: features by their definition and as published, the official layout and split, synthetic words."""

import hashlib
import os
import struct
import tarfile
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from microstage.datasets import archives, download
from microstage.datasets.speech import speech_commands, speech_features, words
from microstage.datasets.speech.cepstra import FRAMES, flat, mfcc, normalised
from microstage.datasets.speech.clips import CLASSES, SILENCE, UNKNOWN, Clips, by_speaker
from microstage.errors import DatasetError

RATE = 16000
NO_DATA = "MICROSTAGE_DATA_DIR names no folder with gsc_v2_test; its clips are not part of the repository"


def by_definition(samples: np.ndarray) -> np.ndarray:
    """[49, 10] of one clip: every sum written out."""

    def mel(hertz):
        return 1127.0 * np.log(1.0 + hertz / 700.0)

    edges = [mel(20.0) + k * (mel(4000.0) - mel(20.0)) / 41 for k in range(42)]
    n = np.arange(480)
    window = 0.5 * (1.0 - np.cos(2.0 * np.pi * n / 480))
    found = np.empty((49, 10))
    for frame in range(49):
        x = samples[320 * frame : 320 * frame + 480] * window
        size = [abs(np.sum(x * np.exp(-2j * np.pi * k * n / 512))) for k in range(257)]
        bands = []
        for low, centre, high in zip(edges, edges[1:], edges[2:]):
            weights = [
                max(0.0, min((mel(f) - low) / (centre - low), (high - mel(f)) / (high - centre)))
                for f in 8000.0 * np.arange(1, 257) / 256
            ]
            bands.append(np.log(np.dot(weights, size[1:]) + 1e-6))
        for k in range(10):
            found[frame, k] = np.sqrt(2 / 40) * sum(b * np.cos(np.pi * k * (i + 0.5) / 40) for i, b in enumerate(bands))
    return found


def test_features_are_those_of_their_definition():
    rng = np.random.Generator(np.random.PCG64(0))
    samples = normalised(rng.normal(0, 3000, (1, RATE)).astype(np.int16))
    found = mfcc(samples)
    assert found.shape == (1, FRAMES, 10) and found.dtype == np.float32
    assert np.abs(found[0] - by_definition(samples[0])).max() < 1e-4


def test_audio_is_divided_by_its_maximum_and_not_by_its_largest_magnitude():
    pcm = np.zeros((3, RATE), np.int16)
    pcm[0, 5:7], pcm[1, 5:7] = (200, -400), (-3, -9)
    found = normalised(pcm)
    assert found[0].max() == 1 and found[0].min() == -2 and found[1].min() == -9 and not found[2].any()


def test_the_network_reads_all_frames_of_a_coefficient_before_the_next():
    features = np.arange(2 * 490, dtype=np.float32).reshape(2, 49, 10)
    row = flat(features)[1]
    assert row[0] == features[1, 0, 0] and row[1] == features[1, 1, 0] and row[49] == features[1, 0, 1]


@pytest.mark.skipif(not (Path(os.environ.get("MICROSTAGE_DATA_DIR", "/none")) / "gsc_v2_test").is_dir(), reason=NO_DATA)
def test_features_of_the_published_clips_are_the_published_ones():
    folder = Path(os.environ["MICROSTAGE_DATA_DIR"]) / "gsc_v2_test"
    published, audio = np.load(folder / "gsc_test_mfcc.npz"), np.load(folder / "kws01_pcm_1000.npz")
    place = {name: row for row, name in enumerate(published["names"])}
    expected = published["mfcc"][[place[name] for name in audio["wav_names"]]]
    found = mfcc(normalised(audio["pcm"]))
    assert np.abs(found - expected).max() < 1e-4, "float32 against float64"
    level = 42.7663 / 127
    assert np.count_nonzero(np.rint(found / level) != np.rint(expected / level)) <= 1, "the same bytes, but for a tie"


def write_wav(path: Path, samples, rate=RATE, channels=1, width=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setframerate(rate)
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.writeframes(np.asarray(samples, "<i2").tobytes())


@pytest.fixture
def official(tmp_path):
    """Three speakers of three words, lists, noise of 2 and 3 seconds, and the test archive in a folder of its own."""
    for k, speaker in enumerate(("0000aaaa", "0000bbbb", "0000cccc")):
        for word in ("yes", "down", "bed"):
            write_wav(
                tmp_path / word / f"{speaker}_nohash_0.wav",
                np.full(RATE if word == "yes" else RATE // 2, 100 * (k + 1)),
            )
    (tmp_path / "validation_list.txt").write_text(
        "".join(f"{w}/0000bbbb_nohash_0.wav\n" for w in ("yes", "down", "bed"))
    )
    (tmp_path / "testing_list.txt").write_text("".join(f"{w}/0000cccc_nohash_0.wav\n" for w in ("yes", "down", "bed")))
    write_wav(tmp_path / "_background_noise_" / "running_tap.wav", np.full(2 * RATE, 7))
    write_wav(tmp_path / "_background_noise_" / "pink_noise.wav", np.full(3 * RATE, 8))
    for folder in ("yes", "_silence_", "_unknown_"):
        write_wav(tmp_path / "test_set" / folder / "one_0000cccc_nohash_0.wav", np.full(RATE + 9, 300))
    return tmp_path


def counted(clips: Clips) -> dict[str, int]:
    return {CLASSES[label]: count for label, count in sorted(Counter(clips.label.tolist()).items())}


def test_the_official_lists_and_the_test_archive_split_the_clips(official):
    speech = speech_commands.load(official, "official")
    assert counted(speech.train) == {"down": 1, "yes": 1, "silence": 5, "unknown": 1}, (
        "a second of noise every half second"
    )
    assert counted(speech.validation) == {"down": 1, "yes": 1, "silence": 3, "unknown": 1}, "the tap validates"
    assert counted(speech.test) == {"yes": 1, "silence": 1, "unknown": 1}
    assert set(speech.train.pcm[speech.train.label == SILENCE].flat) == {8} and len(speech.noise) == 2
    (down,) = speech.train.pcm[speech.train.label == CLASSES.index("down")]
    assert set(down[: RATE // 2]) == {100} and not down[RATE // 2 :].any(), "a short clip ends in silence"


def test_without_its_lists_it_is_not_the_whole_dataset(official):
    (official / "testing_list.txt").unlink()
    with pytest.raises(DatasetError, match="testing_list.txt.*SPLIT=speakers"):
        speech_commands.load(official, "official")


@pytest.mark.parametrize(
    "change,said", [({"rate": 8000}, "8000 Hz"), ({"channels": 2}, "2 channels"), ({"width": 1}, "8 bits")]
)
def test_another_kind_of_wav_is_one_sentence(tmp_path, change, said):
    write_wav(tmp_path / "x.wav", np.zeros(RATE), **change)
    with pytest.raises(DatasetError, match=said):
        speech_commands.read_wav(tmp_path / "x.wav")


@pytest.mark.parametrize("content,said", [
    (lambda whole: b"", "x.wav is no readable WAV file: it is empty, or ends within its header"),
    (lambda whole: whole[:30], "x.wav is no readable WAV file: it is empty, or ends within its header"),
    (lambda whole: b"no wav, but long enough to have a header", "x.wav is no readable WAV file: file does not start"),
    (lambda whole: whole[:-101], "x.wav is cut short: it holds 15949 of 16000 samples"),
    (lambda whole: whole[:44], "x.wav is no clip of speech: it holds no samples"),
    (lambda whole: extensible(whole, tag=3), "x.wav is no readable WAV file: unknown format"),
])  # fmt: skip
def test_a_damaged_wav_is_one_sentence(tmp_path, content, said):
    write_wav(tmp_path / "x.wav", np.arange(RATE))
    (tmp_path / "x.wav").write_bytes(content((tmp_path / "x.wav").read_bytes()))
    with pytest.raises(DatasetError, match=said):
        speech_commands.read_wav(tmp_path / "x.wav")


def extensible(plain, tag=1):
    """The same file as WAVE_FORMAT_EXTENSIBLE of sub-format `tag`."""
    told = struct.pack("<HHIH", 22, 16, 0, tag) + bytes.fromhex("000000001000800000aa00389b71")
    whole, size = (struct.pack("<I", n) for n in (len(plain) - 8 + len(told), 16 + len(told)))
    return plain[:4] + whole + plain[8:16] + size + b"\xfe\xff" + plain[22:36] + told + plain[36:]


def test_pcm_in_wave_format_extensible_is_pcm(tmp_path):
    write_wav(tmp_path / "x.wav", np.arange(RATE))
    (tmp_path / "y.wav").write_bytes(extensible((tmp_path / "x.wav").read_bytes()))
    assert np.array_equal(speech_commands.read_wav(tmp_path / "y.wav"), np.arange(RATE))


def test_nobody_speaks_in_two_splits():
    names = np.array([f"yes/{speaker:08x}_nohash_{take}.wav" for speaker in range(200) for take in range(3)])
    parts = by_speaker(Clips(names, np.zeros(len(names), np.uint8)), "here")
    speakers = [{name[4:12] for name in part.name} for part in parts]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 200 and all(len(s) > 15 for s in speakers)
    assert len(speakers[0]) > 100


def test_features_alone_are_split_by_speaker_and_say_so(tmp_path):
    names = np.array([f"go/{speaker:08x}_nohash_0.wav" for speaker in range(60)])
    label, features = np.zeros(60, np.uint8), np.zeros((60, 49, 10), np.float32)
    np.savez(tmp_path / speech_features.FILE, mfcc=features, names=names, y=label)
    speech = speech_features.load(tmp_path)
    assert f"trained on {len(speech.train)} test clips" in speech.origin and speech.noise == []
    np.savez(tmp_path / speech_features.FILE, mfcc=features[:, :40], names=names, y=label)
    with pytest.raises(DatasetError, match=r"expected finite features \[n, 49, 10\]"):
        speech_features.load(tmp_path)


def test_words_are_the_same_for_a_seed_and_hold_every_class():
    one, again, other = words.load(240, 1), words.load(240, 1), words.load(240, 2)
    assert np.array_equal(one.train.pcm, again.train.pcm) and not np.array_equal(one.train.pcm, other.train.pcm)
    for part, size in ((one.train, 240), (one.validation, 60), (one.test, 120)):
        assert len(part) == size and set(part.label) == set(range(len(CLASSES))) and part.pcm.dtype == np.int16
    assert "no speech" in one.origin and UNKNOWN == 11


@pytest.fixture
def published(official, tmp_path_factory, monkeypatch):
    """The official layout as two archives, known by their digests; (folder to download into, the archives' files)."""
    place = tmp_path_factory.mktemp("published")
    packed = {".": place / "words.tar.gz", "test_set": place / "test.tar.gz"}
    for folder, path in packed.items():
        with tarfile.open(path, "w:gz") as archive:
            for entry in sorted((official / folder).iterdir()):
                if entry.name not in packed:
                    archive.add(entry, entry.name)
            archive.addfile(tarfile.TarInfo("../outside.txt"))
    known = tuple(
        archives.Archive(path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest(), folder, 64)
        for folder, path in packed.items()
    )
    monkeypatch.setitem(archives.ARCHIVES, "speech-commands", known)
    return place / "data", list(packed.values())


def test_a_downloaded_dataset_is_the_published_one_and_is_fetched_once(official, published, capsys):
    place, packed = published
    download.fetch("speech-commands", place)
    assert counted(speech_commands.load(place / "speech_commands", "official").train) == counted(
        speech_commands.load(official, "official").train
    )
    assert not list(place.parent.rglob("outside.txt")), "an archive writes below its folder alone"
    for path in packed:
        path.unlink()
    download.fetch("speech-commands", place)


def test_an_archive_that_is_another_leaves_nothing(published):
    place, packed = published
    packed[1].write_bytes(packed[1].read_bytes() + b"0")
    with pytest.raises(DatasetError, match="test.tar.gz has the SHA-256 .*nothing of it was kept"):
        download.fetch("speech-commands", place)
    assert not list(place.iterdir())
