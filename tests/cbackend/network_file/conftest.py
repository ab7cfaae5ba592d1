"""Networks as files, made once."""

from pathlib import Path
from typing import NamedTuple

import pytest

from microstage.interface import golden
from microstage_cbackend.generate import read_model
from microstage_cbackend.network_file.writing.network import network_file
from microstage_cbackend.program.memory import plan_memory
from microstage_cbackend.program.model import Model
from microstage_cbackend.vectors.plan import Plan, make_plan


class InFile(NamedTuple):
    """A network, what it is checked with, and its file."""

    model: Model
    plan: Plan
    data: bytes


def in_file(source: Path) -> InFile:
    model = read_model(source)
    plan = make_plan(model, golden.load(source / golden.FILE))
    return InFile(model, plan, network_file(model, {part.name: plan_memory(part) for part in model.parts}, plan))


@pytest.fixture(scope="session")
def every_kernel_file(every_kernel_source) -> InFile:
    return in_file(every_kernel_source)


@pytest.fixture(scope="session")
def stepped_file(stepped_source) -> InFile:
    return in_file(stepped_source)


@pytest.fixture(scope="session")
def harmonic_file(harmonic_source) -> InFile:
    return in_file(harmonic_source)
