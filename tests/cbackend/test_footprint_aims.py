"""Drawn networks in a firmware keep to what `microstage_bench.aims` says: instructions, modelled cycles, flash."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest
from drawn import write_network

from microstage_bench.aims import CYCLES, FLASH, FLASH_OF_8_BITS, INSTRUCTIONS
from microstage_bench.emulators import MACHINES
from microstage_bench.footprint import cortex_m4
from microstage_bench.footprint.firmware import Build, firmware_of
from microstage_bench.names import WIDTHS
from microstage_bench.write_models import network_named
from microstage_cbackend.generate import read_model
from microstage_cbackend.writers.emit import WrittenModel, emit

MACHINE = {machine.name: machine for machine in MACHINES}
NETWORKS = ("drawn-ds-cnn", "drawn-autoencoder", "drawn-kws-w3a3", "drawn-resnet8")
"Those whose C is written within seconds."


@pytest.fixture(scope="module")
def c_of(tmp_path_factory):
    """Return the folder of a drawn network's C, made once."""

    @cache
    def made(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        write_network(network_named(name), folder / "in", vectors=4)
        for file, text in emit(WrittenModel(read_model(folder / "in")), {}).items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text)
        shutil.copy(folder / "in" / "golden.npz", folder)
        return folder

    return made


def built(machine: str, level: str) -> Build:
    build = Build(MACHINE[machine], "gcc", level)
    return pytest.skip(build.missing) if build.missing else build


@pytest.mark.parametrize("name", NETWORKS)
def test_instructions_and_cycles_at_o2_are_within_what_is_aimed_at(name, c_of):
    with firmware_of(c_of(name)) as firmware:
        for machine, aims in INSTRUCTIONS.items():
            build = built(machine, "-O2")
            counted = firmware.measure(build).instructions
            assert counted <= aims.get(name, counted), f"{machine}: {counted:,} of {aims[name]:,} instructions"
            if machine == cortex_m4.NAME and name in CYCLES:
                cycles = cortex_m4.modelled(firmware, build, counted)
                assert cycles <= CYCLES[name], f"{cycles:,} of {CYCLES[name]:,} cycles"


@pytest.mark.parametrize("name", FLASH)
def test_flash_at_os_is_within_what_is_aimed_at(name, c_of):
    with firmware_of(c_of(name)) as firmware:
        assert firmware.measure(built("cortex-m4", "-Os")).flash <= FLASH[name]


def test_narrow_weights_take_their_share_of_flash(c_of):
    flash = {}
    for bits in (8, *FLASH_OF_8_BITS):
        with firmware_of(c_of(WIDTHS[bits])) as firmware:
            flash[bits] = firmware.measure(built("cortex-m4", "-Os")).flash
    for bits, most in FLASH_OF_8_BITS.items():
        assert flash[bits] <= most * flash[8], f"{bits} bits: {flash[bits] / flash[8]:.3f}"
