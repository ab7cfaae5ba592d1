"""Files that are cut off, damaged or made to harm: one sentence, and no access or arithmetic that C does not define."""

import subprocess
import zlib
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from microstage_cbackend.build import compiled
from microstage_cbackend.interpreter.building import PORTABLE
from microstage_cbackend.network_file.format.records import HEADER, SECTION

HERE = Path(__file__).parent
CORPUS = sorted([*(HERE / "corpus").glob("*.msn"), *(HERE.parents[1] / "fuzz/crashes/msn").glob("*.msn")])


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    """The fuzzers' target under sanitizers, without checksums: replay(files) runs each."""
    folder, kernels = tmp_path_factory.mktemp("fuzz"), HERE.parents[2] / "stages/cbackend/microstage_cbackend/kernels"
    sources = [*sorted((kernels.parent / "interpreter").glob("*.c")), HERE / "fuzz.c", HERE / "fuzz_main.c"]
    checks = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION")
    include = [f"-I{kernels}", f"-I{kernels.parent / 'interpreter'}"]
    compiled(folder, "fuzz", [*include, *map(str, sources)], ("-std=c99", *PORTABLE, *checks), "gcc")

    def run(files) -> None:
        done = subprocess.run([str(folder / "fuzz"), *map(str, files)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]

    return run


def test_corpus_and_mutations(replay, tmp_path):
    replay(CORPUS)
    random, files = np.random.default_rng(1), []
    for number in range(1500):
        data = np.frombuffer(CORPUS[number % len(CORPUS)].read_bytes(), np.uint8).copy()
        for at in random.integers(64, len(data), random.integers(1, 4)):
            data[at] = random.choice([0, 1, 127, 128, 255, data[at] ^ (1 << random.integers(8))])
        files.append(tmp_path / f"{number}.msn")
        files[-1].write_bytes(data.tobytes())
    replay(files)


def sealed(data: bytearray) -> bytes:
    """The file with all checksums as they have to be."""
    header = np.frombuffer(data, HEADER.dtype, 1)[0]
    for entry in np.frombuffer(data, SECTION.dtype, int(header["sections"]), HEADER.size):
        entry["crc"] = zlib.crc32(data[int(entry["offset"]) : int(entry["offset"] + entry["bytes"])])
    header["crc"] = 0
    header["crc"] = zlib.crc32(data[: HEADER.size + SECTION.size * int(header["sections"])])
    data[-32:] = sha256(data[:-32]).digest()
    return bytes(data)


def test_one_sentence_whatever_is_wrong(sanitised, tmp_path):
    whole = (HERE / "corpus" / "network_00.msn").read_bytes()
    flipped = [bytearray(whole) for _ in range(6)]
    for number, data in enumerate(flipped):
        data[(number + 1) * len(data) // 7] ^= 1
    layers = next(
        int(e["offset"])
        for e in np.frombuffer(whole, SECTION.dtype, int(whole[28]), HEADER.size)
        if bytes(e["kind"]) == b"LAYR"
    )
    unknown = bytearray(whole)
    unknown[layers] = 200
    broken = {
        "truncated": [whole[:size] for size in (64, 200, len(whole) // 2, len(whole) - 1)],
        "no network file": [b"", whole[:7], b"PK" + whole[2:]],
        "another major version": [whole[:8] + b"\2" + whole[9:]],
        "damaged": [*map(bytes, flipped)],
        "does not have": [sealed(unknown)],
    }
    for words, files in broken.items():
        for data in files:
            (tmp_path / "net.msn").write_bytes(data)
            sentence = sanitised.said(tmp_path / "net.msn", "--info", code=2)
            assert words in sentence and sentence.count("\n") == 1, sentence
    sanitised.said(tmp_path / "absent.msn", code=2)
