"""The C on machines that are not this one: its self test passes on each."""

import pytest
from drawn import write_network
from networks import harmonic_artefact
from stepped import stepped_artefact

from microstage.errors import VerificationError
from microstage.interface import golden
from microstage_bench.drawn_networks import Drawing
from microstage_bench.emulators import MACHINES
from microstage_bench.network import Quantity
from microstage_bench.write_models import network_named
from microstage_cbackend.build import FLAGS, compile_selftest, run_selftest
from microstage_cbackend.generate import files_of, read_model
from microstage_cbackend.vectors.plan import make_plan

VECTORS = 4


def small_binary():
    """The layers of CNV-W1A1, fewer of them."""
    d = Drawing("small-binary", (3, 14, 14), Quantity(1.0), seed=1, reach=1, steps=1)
    for channels in (64, 64):
        d.conv(channels, 3, padded=False)
    d.maximum()
    d.flatten()
    d.dense(70)
    d.dense(10, relu=False)
    return d.network()


def written(name, folder):
    if name in ("harmonic", "stepped"):
        return harmonic_artefact(folder) if name == "harmonic" else stepped_artefact(folder)
    return write_network(small_binary() if name == "binary" else network_named(name), folder)


@pytest.fixture(
    scope="module", params=["harmonic", "stepped", "drawn-kws-w3a3", "binary", "drawn-resnet8", "drawn-ds-cnn"]
)
def network(request, tmp_path_factory):
    """(folder of C, values per boundary, shapes) of one network, on a few golden vectors."""
    source, out = written(request.param, tmp_path_factory.mktemp("in")), tmp_path_factory.mktemp("out")
    model, vectors = read_model(source), golden.load(source / golden.FILE)
    plan = make_plan(model, {name: values[:VECTORS] for name, values in vectors.items()})
    for path, data in files_of(model, plan).items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(data)
    return out, {n: v.size for n, v in plan.boundaries.items()}, {n: v.shape[1:] for n, v in plan.boundaries.items()}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_self_test_passes_on(machine, network):
    if machine.missing:
        pytest.skip(machine.missing)
    folder, sizes, shapes = network
    compile_selftest(folder, (*FLAGS, *machine.flags, *machine.link), machine.compiler)
    results = run_selftest(folder, shapes, emulator=machine.emulator)
    assert results and all(r.compared == r.equal > 0 for r in results)
    assert all(r.compared == sizes[r.boundary] for r in results if "." not in r.boundary)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_difference_is_told_on(machine, tmp_path):
    if machine.missing:
        pytest.skip(machine.missing)
    source = written("harmonic", tmp_path / "in")
    model, vectors = read_model(source), golden.load(source / golden.FILE)
    vectors["hidden"][1, 2, 3] ^= 1
    plan = make_plan(model, vectors)
    for path, data in files_of(model, plan).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    compile_selftest(tmp_path, (*FLAGS, *machine.flags, *machine.link), machine.compiler)
    with pytest.raises(VerificationError, match=r"hidden\[1, 2, 3\]"):
        run_selftest(tmp_path, {n: v.shape[1:] for n, v in plan.boundaries.items()}, emulator=machine.emulator)
