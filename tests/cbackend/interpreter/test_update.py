"""A device under qemu that gets networks without new firmware: a good one is taken; all else leaves the old one."""

import hashlib
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from microstage.interface import golden
from microstage_bench.emulators import MACHINES
from microstage_cbackend.generate import read_model
from microstage_cbackend.network_file.format.numbers import PROGRAMS
from microstage_cbackend.network_file.reading.file import read_container
from microstage_cbackend.network_file.writing.golden import golden_section, of_steps
from microstage_cbackend.network_file.writing.network import network_file, with_golden
from microstage_cbackend.program.memory import plan_memory
from microstage_cbackend.program.model import Model
from microstage_cbackend.vectors.plan import Plan, make_plan
from microstage_runner.process import REPOSITORY

INTERPRETER = REPOSITORY / "stages/cbackend/microstage_cbackend/interpreter"
[M4] = [machine for machine in MACHINES if machine.name == "cortex-m4"]
SLOT, PAGE = 2 << 20, 4096
NIST = {  # FIPS 180-4's examples
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    b"".join(b"abcdefghijklmnopqrstu"[at : at + 8] for at in range(14)): (
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
    b"a" * 1000000: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}
PRINTS = """#include <stdio.h>
#include "msn_digest.c"
int main(void)
{
    static unsigned char data[1000001];
    uint32_t state[8];
    digest_of(state, data, fread(data, 1, sizeof data, stdin));
    for (int i = 0; i < 8; i++) {
        printf("%08x", (unsigned)state[i]);
    }
    return 0;
}
"""


def test_the_digest_is_that_of_the_standard(tmp_path):
    (tmp_path / "prints.c").write_text(PRINTS)
    subprocess.run(["gcc", "-std=c99", "-O1", f"-I{INTERPRETER}", "prints.c", "-o", "prints"], cwd=tmp_path, check=True)
    for message, digest in NIST.items():
        done = subprocess.run([tmp_path / "prints"], input=message, capture_output=True, check=True)
        assert done.stdout.decode() == digest


@pytest.fixture(scope="module")
def networks(harmonic_source, stepped_source, tmp_path_factory) -> dict[str, bytes]:
    """Network files, one of them with golden vectors of steps, and what may become of one on its way."""

    def made(source: Path) -> tuple[bytes, Model, Plan]:
        model = read_model(source)
        plan = make_plan(model, golden.load(source / golden.FILE))
        return network_file(model, {part.name: plan_memory(part) for part in model.parts}, plan), model, plan

    (good, model, plan), (other, *_) = made(stepped_source), made(harmonic_source)
    file = read_container(good)
    [step] = [n for n, program in enumerate(file.rows["PROG"]) if program["kind"] == PROGRAMS["step"]]
    good = with_golden(file, golden_section(of_steps(model.recurrent, plan), step, vectors=2))
    return {
        "good": good,
        "other": other,
        "damaged": other[:5000] + bytes([other[5000] ^ 4]) + other[5001:],
        "truncated": other[:-4000],
        "foreign": b"#!/bin/sh\n" * 60,
        "newer": sealed(other[:8] + struct.pack("<H", 2) + other[10:]),
        "wrong": sealed(other_answer(other)),
    }


def sections(data: bytes) -> dict[bytes, tuple[int, int, int]]:
    """{kind: (place of its entry, offset, bytes)}."""
    places = range(64, 64 + 32 * struct.unpack_from("<I", data, 28)[0], 32)
    return {data[at : at + 4]: (at, *struct.unpack_from("<QQ", data, at + 8)) for at in places}


def other_answer(data: bytes) -> bytes:
    """Another integer as the last answer of the golden vectors."""
    changed = bytearray(data)
    _, offset, size = sections(data)[b"GOLD"]
    changed[offset + size - 8] ^= 1
    return bytes(changed)


def sealed(data: bytes) -> bytes:
    """The file with checksums and a digest that are right for what it holds."""
    file = bytearray(data)
    for at, offset, size in sections(data).values():
        struct.pack_into("<I", file, at + 24, zlib.crc32(file[offset : offset + size]))
    struct.pack_into("<I", file, 32, 0)
    end = 64 + 32 * struct.unpack_from("<I", file, 28)[0]
    struct.pack_into("<I", file, 32, zlib.crc32(file[:end]))
    return bytes(file[:-32]) + hashlib.sha256(file[:-32]).digest()


class Device:
    """Firmware that is built once, and a flash that outlives its starts."""

    def __init__(self, folder: Path, networks: dict[str, bytes]) -> None:
        self.folder, self.networks = folder, networks
        for name, data in networks.items():
            (folder / f"{name}.msn").write_bytes(data)

    def starts(self, *arriving: str, power: int | None = None) -> str:
        """What it says, start by start; the firmware stays the same."""
        (self.folder / "power.txt").write_text(f"{-1 if power is None else power}\n")
        files = [self.folder / f"{name}.msn" for name in arriving]
        words = ["bash", INTERPRETER / "update" / "under-qemu", self.folder, *files]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
        return done.stdout

    def flip(self, place: int) -> None:
        flash = bytearray((self.folder / "flash.bin").read_bytes())
        flash[place] ^= 1
        (self.folder / "flash.bin").write_bytes(flash)


@pytest.fixture(scope="module")
def device(networks, tmp_path_factory) -> Device:
    if M4.missing:
        pytest.skip(M4.missing)
    return Device(tmp_path_factory.mktemp("device"), networks)


def test_a_good_network_is_switched_to_and_nothing_else_is(device):
    said = device.starts("good")
    assert "slot 0 runs update 1: " in said and "answers as it should" in said
    firmware = (device.folder / "firmware.elf").read_bytes()
    for name, why in {
        "damaged": "The network file is damaged: a checksum is wrong.",
        "truncated": "The network file is truncated",
        "foreign": "What arrives is no network file",
        "newer": "version",
        "wrong": "A golden vector is answered with other integers.",
    }.items():
        said = device.starts(name)
        refused = next(line for line in said.splitlines() if line.startswith("refused: "))
        assert why in refused and said.count("slot 0 runs update 1: ") == 2, said
        assert said.count("answers as it should") == 2
    said = device.starts("other")
    assert "slot 1 runs update 2: " in said and said.count("answers as it should") == 2
    assert (device.folder / "firmware.elf").read_bytes() == firmware


def test_the_power_may_go_at_any_time_and_what_rots_in_flash_is_rolled_back(device, networks):
    (device.folder / "flash.bin").unlink(missing_ok=True)
    device.starts("good")
    size = len(networks["other"])
    for power in (1000, size, size + 12):  # within the file, behind it, within the header that is written last
        said = device.starts("other", power=power)
        assert "the power is gone" in said and "runs update 2" not in said, power
        assert said.split("--- start\n")[1].startswith("slot 0 runs update 1: "), power
    assert "slot 1 runs update 2: " in device.starts("other", power=size + 24)
    device.flip(SLOT + PAGE + size // 2)
    said = device.starts()
    assert "slot 1: The network file is damaged" in said and "slot 0 runs update 1: " in said
    assert "slot 1 runs update 2: " in device.starts("other"), "and is taken anew"
    device.flip(PAGE + 100)
    device.flip(SLOT + PAGE + 100)
    shutil.copy(device.folder / "good.msn", device.folder / "update.msn")
    assert "slot 0 runs update 1: " in device.starts(), "with no network left it still takes one"
