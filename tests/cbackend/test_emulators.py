"""The C on machines that are not this one: its self test passes on each, and tells a difference."""

import shutil
from dataclasses import replace

import pytest
from written import write_files

from microstage.errors import VerificationError
from microstage.interface import golden
from microstage_bench.emulators import MACHINES
from microstage_cbackend.build import FLAGS, compile_selftest, run_selftest
from microstage_cbackend.generate import read_model
from microstage_cbackend.vectors.plan import make_plan

VECTORS = 4
KERNELS = "add_u8 average_u8 conv_u8 depthwise_u8 frame_u8 or_pool pack pad_u8 xnor_bits xnor_sums".split()


@pytest.fixture(scope="module", params=["harmonic_source", "stepped_source", "every_kernel_source"])
def network(request, tmp_path_factory):
    """(folder of C, plan on a few golden vectors) of one network."""
    source, out = request.getfixturevalue(request.param), tmp_path_factory.mktemp("out")
    model, vectors = read_model(source), golden.load(source / golden.FILE)
    plan = make_plan(model, {name: values[:VECTORS] for name, values in vectors.items()})
    return write_files(model, plan, out), plan


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_the_self_test_passes_and_tells_a_difference_on(machine, network, tmp_path):
    if machine.missing:
        pytest.skip(machine.missing)
    made, plan = network
    folder = shutil.copytree(made, tmp_path / "c")
    compile_selftest(folder, (*FLAGS, *machine.flags, *machine.link), machine.compiler)
    results = run_selftest(folder, plan.shapes(), emulator=machine.emulator)
    assert results and all(r.compared == r.equal > 0 for r in results)
    sizes = {name: values.size for name, values in plan.boundaries.items()}
    assert all(r.compared == sizes[r.boundary] for r in results if "." not in r.boundary)

    name = next(iter(plan.checks[-1].expects.values()))
    wrong = plan.boundaries[name].copy()
    wrong[1].flat[-1] ^= 1
    (folder / "test" / "golden.bin").write_bytes(replace(plan, boundaries={**plan.boundaries, name: wrong}).data())
    with pytest.raises(VerificationError, match=rf"{name}\[1, .*\(1 values of this boundary differ\)"):
        run_selftest(folder, plan.shapes(), emulator=machine.emulator)


def test_one_of_these_networks_calls_every_vectorised_kernel(every_kernel_source, tmp_path):
    model, vectors = read_model(every_kernel_source), golden.load(every_kernel_source / golden.FILE)
    write_files(model, make_plan(model, vectors), tmp_path)
    text = " ".join((tmp_path / "every_kernel.c").read_text().split())
    assert [name for name in KERNELS if f"ms_{name}(" not in text] == []
    assert [bits for bits in (1, 4, 8) if f".bits = {bits}" not in text] == []
