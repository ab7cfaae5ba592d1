"""Which networks an estimation takes, what it leaves, and that bad input leaves nothing."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from places import FIXTURES

from microstage.errors import ArtefactError, IntegrityError, ParameterError, StageFailed
from microstage.files.canonical import file_digest
from microstage_runner.artefacts import ready_networks
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.store import Store
from microstage_runner.commands import ready
from microstage_runner.commands.estimate_file import estimate_file
from microstage_runner.declarations.stages import REFERENCE, TRAINING
from microstage_runner.pipeline.step import Step

FIXTURE = FIXTURES / "qcdq"


class Checkout:
    """Pipelines by what was chosen, of which `published` have an artefact, a backend that notes its step, a checkout
    with ready networks of `kinds`.
    """

    def __init__(
        self, folder: Path, published: list[dict[str, str]] = (), kinds=(), failing=False, channel="current"
    ) -> None:
        self.repository, self.published, self.failing, self.asked, self.calls = (
            folder / "checkout",
            list(published),
            failing,
            [],
            [],
        )
        self.stage = SimpleNamespace(name="qcdq", role=REFERENCE, folder=self.repository / "stages/qcdq")
        self.store, self.stages, self.backend = Store(folder), {"qcdq": self.stage}, self
        self.parameters = {"train": {"channel": channel}} if channel else {"train": {}}
        for kind in kinds:
            made(self.repository, kind)

    def pipeline(self, choice):
        self.asked.append(choice)
        return self

    def steps(self, target):
        found = Artefact(self.store.volumes / "qcdq", {"subject": []}) if self.asked[-1] in self.published else None
        step = Step(self.stage, {"key": "k" * 64}, {})
        yield step.published(found) if found else step

    def run(self, wanted):
        self.calls.append((wanted.stage.name, wanted.module, dict(wanted.inputs), wanted.parameters))
        for name in ("report.json", "harmonics.csv"):
            (wanted.output / name).write_text("{}")
        return 2 if self.failing else 0


def made(repository: Path, kind: str) -> Path:
    folder = repository / "stages/qcdq/ready" / kind
    folder.mkdir(parents=True)
    for name in ("interface.json", "subcnn.onnx", "sublstm_qcdq.onnx", "submlp.onnx"):
        shutil.copyfile(FIXTURE / name, folder / name)
    files = {path.name: file_digest(path) for path in folder.iterdir()}
    (folder / "ready.json").write_text(json.dumps({"channel": kind, "files": files, "made_of": {}}))
    return folder


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "in" / "x.CFG"
    path.parent.mkdir()
    path.write_text("")
    return path


def test_without_a_choice_the_ready_networks_are_taken_and_only_results_are_left(tmp_path, recording, capsys):
    checkout = Checkout(tmp_path, kinds=ready_networks.KINDS)
    typed = {"FILE": str(recording), "CHANNEL": "IA,IB", "FREQUENCY": "50", "RUNNER": "local"}
    estimate_file(typed, checkout.pipeline)
    ((stage, module, inputs, asked),) = checkout.calls
    assert (stage, module) == ("qcdq", "microstage.estimation") and asked == {
        "file": "x.CFG",
        "channel": "IA,IB",
        "frequency": 50,
    }
    assert {kind: inputs[kind] for kind in ready_networks.KINDS} == {
        kind: (checkout.stage.folder / "ready") / kind for kind in ready_networks.KINDS
    }
    assert checkout.asked == [{"RUNNER": "local"}]
    folder = Path(capsys.readouterr().out.splitlines()[-1].removeprefix("result: "))
    assert folder.parent == tmp_path / "estimates" and folder.name.startswith("x-")
    assert [path.name for path in folder.iterdir()] == ["harmonics.csv"]
    estimate_file(typed, checkout.pipeline)
    recording.with_name("x.dat").write_text("other data")
    estimate_file(typed, checkout.pipeline)
    assert len(list(folder.parent.iterdir())) == 2  # the same again, and other data


def test_the_published_run_is_taken_for_the_kinds_that_it_is_for_and_the_ready_network_for_others(
    tmp_path, recording, capsys
):
    chosen = {"CYCLES": "1", "CHANNEL": "current", "FREQUENCY": "60"}
    checkout = Checkout(tmp_path, [chosen], kinds=("voltage",))
    estimate_file({"FILE": str(recording), "FREQUENCY": "50", "CYCLES": "1"}, checkout.pipeline)
    inputs = checkout.calls[0][2]
    assert inputs["voltage"].parent == (checkout.stage.folder / "ready") and inputs["current"] == tmp_path / "qcdq"
    assert [(s["CHANNEL"], s["FREQUENCY"]) for s in checkout.asked if "CHANNEL" in s] == [
        ("current", "50"),
        ("current", "60"),
        ("voltage", "50"),
        ("voltage", "60"),
    ]  # the best selection first
    assert "network for voltage: ready" in capsys.readouterr().out
    for name, channel, kinds in (("of one kind", "voltage", {"voltage"}), ("of none", None, {"current", "voltage"})):
        run = Checkout(tmp_path / name, [{"RUN": "1b"}], channel=channel)
        estimate_file({"FILE": str(recording), "RUN": "1b"}, run.pipeline)
        assert run.calls[0][2].keys() == {"recording", *kinds}


def test_a_folder_of_ones_own_is_such_a_network(tmp_path, recording):
    checkout = Checkout(tmp_path, kinds=ready_networks.KINDS)
    own = shutil.copytree((checkout.stage.folder / "ready") / "voltage", tmp_path / "own")
    estimate_file({"FILE": str(recording), "ONNX": str(own / "subcnn.onnx")}, checkout.pipeline)
    assert checkout.calls[-1][2].keys() == {"recording", "voltage"} and checkout.calls[-1][2]["voltage"] == own
    (own / "ready.json").unlink()
    estimate_file({"FILE": str(recording), "ONNX": str(own)}, checkout.pipeline)
    assert checkout.calls[-1][2].keys() == {"recording", *ready_networks.KINDS}
    with pytest.raises(ParameterError, match="CYCLES=1 is nothing that ONNX="):
        estimate_file({"FILE": str(recording), "ONNX": str(own), "CYCLES": "1"}, checkout.pipeline)
    with pytest.raises(ParameterError, match="has no interface.json"):
        estimate_file({"FILE": str(recording), "ONNX": str(tmp_path)}, checkout.pipeline)
    for text in ("{}", '{"parts": {"a": {"file": "../subcnn.onnx"}}}', "[", '{"parts": []}'):
        (own / "interface.json").write_text(text)
        with pytest.raises(ArtefactError, match="interface.json"):
            estimate_file({"FILE": str(recording), "ONNX": str(own)}, checkout.pipeline)


def test_a_ready_network_is_that_of_its_description_or_none(tmp_path, recording):
    checkout = Checkout(tmp_path, kinds=ready_networks.KINDS)
    graph = (checkout.stage.folder / "ready") / "current" / "submlp.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(IntegrityError, match="submlp.onnx was changed"):
        estimate_file({"FILE": str(recording)}, checkout.pipeline)
    assert not checkout.calls


def test_a_step_that_fails_leaves_nothing(tmp_path, recording):
    checkout = Checkout(tmp_path, kinds=ready_networks.KINDS, failing=True)
    with pytest.raises(StageFailed) as caught:
        estimate_file({"FILE": str(recording)}, checkout.pipeline)
    assert (
        caught.value.exit_code == 2
        and not any((tmp_path / ".partial").iterdir())
        and not (tmp_path / "estimates").exists()
    )


@pytest.mark.parametrize("typed,reason", [
    ({}, "FILE= is missing"), ({"FILE": "x.txt"}, "neither"), ({"FILE": "absent.csv"}, "not a file"),
    ({"FILE": None, "FREQUENCY": "55"}, "expected 50 or 60"), ({"FILE": None, "FREQUENCY": "0"}, "expected 50 or 60"),
])  # fmt: skip
def test_bad_input_is_said_before_anything_is_looked_for(tmp_path, recording, typed, reason):
    checkout = Checkout(tmp_path)
    with pytest.raises(ParameterError, match=reason):
        estimate_file({name: value or str(recording) for name, value in typed.items()}, checkout.pipeline)
    assert not checkout.asked


def test_without_a_network_it_says_how_to_make_one(tmp_path, recording):
    with pytest.raises(ArtefactError, match="make ready"):
        estimate_file({"FILE": str(recording)}, Checkout(tmp_path).pipeline)
    with pytest.raises(ArtefactError, match="make qcdq"):
        estimate_file(
            {"FILE": str(recording), "SEED": "2"},
            Checkout(tmp_path, [{"SEED": "3"}], kinds=ready_networks.KINDS).pipeline,
        )


def test_make_ready_puts_a_network_of_each_kind_into_the_checkout(tmp_path, monkeypatch):
    artefact = SimpleNamespace(checked=lambda: FIXTURE)
    stages = {role: SimpleNamespace(name=role, role=role, folder=tmp_path / "qcdq") for role in (TRAINING, REFERENCE)}
    step = SimpleNamespace(about={"key": "k" * 64}, artefact=artefact, stage=stages[REFERENCE])
    typed = []

    class Session(SimpleNamespace):
        def __init__(self, repository, variables):
            typed.append(variables)
            super().__init__(repository=repository, volumes=tmp_path, stages=stages, typed=variables)

        def pipeline(self, loud):
            return SimpleNamespace(
                parameters={TRAINING: dict(self.typed)},
                run=lambda stage: [step],
            )

    monkeypatch.setattr(ready, "Session", Session)
    for _ in range(2):  # in place of what was there
        ready.command(Session(tmp_path, {"EPOCHS": "1"}))
    found = ready_networks.of_checkout(tmp_path / "qcdq")
    assert found.keys() == {"current", "voltage"} and {"CHANNEL", "EPOCHS"} == typed[-1].keys()
    for kind, network in found.items():
        folder = network.checked()
        assert sorted(path.name for path in folder.iterdir()) == [
            "interface.json",
            "ready.json",
            "subcnn.onnx",
            "sublstm_qcdq.onnx",
            "submlp.onnx",
        ]
        assert json.loads((folder / "ready.json").read_text())["made_of"]["parameters"]["CHANNEL"] == kind
    with pytest.raises(ParameterError, match="leave CHANNEL= out"):
        ready.command(Session(tmp_path, {"CHANNEL": "voltage"}))
