"""Which artefact an estimation takes, what it leaves, and that bad input leaves nothing."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from microstage.errors import ArtefactError, ParameterError, StageFailed
from microstage.runner.artefact import Artefact
from microstage.runner.estimate_file import estimate_file
from microstage.runner.store import Store


class Volume:
    """A chain whose only published artefact has the selection `published`, and a backend that notes its steps."""

    def __init__(self, volumes: Path, published: dict[str, str], failing: str = "") -> None:
        self.published, self.failing, self.asked, self.calls = published, failing, [], []
        self.store, self.stages, self.backend = Store(volumes), {"train": "train", "qcdq": "qcdq"}, self

    def chain(self, selection):
        self.asked.append(selection)
        return self

    def steps(self, target):
        found = Artefact(self.store.volumes / "qcdq", {"subject": []}) if self.asked[-1] == self.published else None
        yield SimpleNamespace(stage=SimpleNamespace(name=target), artefact=found, about={"key": "k" * 64})

    def run(self, stage, *, inputs, parameters, output, scratch, module):
        self.calls.append((stage, module.rpartition(".")[2], sorted(inputs), parameters))
        (output / "report.json").write_text("{}")
        (output / f"{self.calls[-1][1]}.txt").write_text("")
        return 2 if module.endswith(self.failing or "?") else 0


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "in" / "x.CFG"
    path.parent.mkdir()
    path.write_text("")
    return path


def test_the_steps_run_in_their_environments_and_only_what_was_drawn_is_left(tmp_path, recording, capsys):
    volume = Volume(tmp_path, {"CYCLES": "1", "CHANNEL": "current", "FREQUENCY": "60"})
    typed = {"FILE": str(recording), "CHANNEL": "IA", "FREQUENCY": "50", "CYCLES": "1"}
    estimate_file(typed, volume.chain)
    assert [s["FREQUENCY"] for s in volume.asked] == ["50", "60"]  # the best selection first
    assert volume.calls == [
        ("train", "windows", ["model", "recording"], {"file": "x.CFG", "channel": "IA", "frequency": 50}),
        ("qcdq", "integers", ["model", "windows"], {}),
        ("train", "drawing", ["network", "windows"], {"title": "x.CFG, IA"}),
    ]
    folder = Path(capsys.readouterr().out.splitlines()[-1].removeprefix("result: "))
    assert folder.parent == tmp_path / "estimates" and folder.name.startswith("x-")
    assert [path.name for path in folder.iterdir()] == ["drawing.txt"]
    estimate_file(typed, volume.chain)
    (recording.with_name("x.dat")).write_text("other data")
    estimate_file(typed, volume.chain)
    assert len(list(folder.parent.iterdir())) == 2  # the same again, and other data


@pytest.mark.parametrize("failing", ["windows", "integers", "drawing"])
def test_a_step_that_fails_leaves_nothing(tmp_path, recording, failing):
    volume = Volume(tmp_path, {"CHANNEL": "current", "FREQUENCY": "60"}, failing)
    with pytest.raises(StageFailed) as caught:
        estimate_file({"FILE": str(recording)}, volume.chain)
    assert caught.value.exit_code == 2 and not any((tmp_path / ".partial").iterdir()) and not (tmp_path / "estimates").exists()


@pytest.mark.parametrize("typed,reason", [
    ({}, "FILE= is missing"), ({"FILE": "x.txt"}, "neither"), ({"FILE": "absent.csv"}, "not a file"),
    ({"FILE": None, "FREQUENCY": "55"}, "expected 50 or 60"),
])
def test_bad_input_is_said_before_anything_is_looked_for(tmp_path, recording, typed, reason):
    volume = Volume(tmp_path, {})
    with pytest.raises(ParameterError, match=reason):
        estimate_file({name: value or str(recording) for name, value in typed.items()}, volume.chain)
    assert not volume.asked


def test_without_a_published_network_it_says_how_to_make_one(tmp_path, recording):
    volume = Volume(tmp_path, {"SEED": "2"})
    with pytest.raises(ArtefactError, match="make qcdq"):
        estimate_file({"FILE": str(recording)}, volume.chain)
    assert len(volume.asked) == 4
