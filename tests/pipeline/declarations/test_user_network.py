"""`ONNX=`: the pipeline begins at streamline, with a key of the file's bytes; what has no meaning then is said in one
sentence.
"""

from types import SimpleNamespace

import pytest

from microstage.errors import ParameterError
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.selection import select
from microstage_runner.declarations.user_files import UserFiles, from_user_files
from microstage_runner.pipeline.summary import summary
from microstage_runner.process import REPOSITORY


@pytest.fixture(scope="module")
def stages():
    return load_stages(REPOSITORY)


def collected(stages, tmp_path, **typed) -> UserFiles:
    return UserFiles.collect(from_user_files(stages, typed), typed, tmp_path / "volumes")


def test_the_chain_begins_at_the_stage_that_takes_the_file(stages, tmp_path):
    kept = from_user_files(stages, {"ONNX": "model.onnx"})
    assert list(kept) == ["streamline", "cbackend", "rtl"] and kept["streamline"].inputs == {"network": "files"}
    assert {"report.md", "unresolved.json", "model_*.onnx"} <= kept["streamline"].outputs.keys()
    assert "uncompared" in kept["streamline"].parameters and "uncompared" not in stages["streamline"].parameters
    assert from_user_files(stages, {}) == stages and UserFiles.collect(stages, {}, tmp_path) is None


@pytest.mark.parametrize(("typed", "name"), [({}, "ecg_v2"), ({"NAME": "kws"}, "kws")])
def test_the_c_is_called_as_the_file_or_as_the_user_says(stages, typed, name):
    typed = {"ONNX": "somewhere/ECG v2.onnx", **typed}
    assert select(from_user_files(stages, typed), typed)["cbackend"]["name"] == name
    assert select(stages, {})["cbackend"]["name"] == "", "of a network of ours it is the model's"
    with pytest.raises(ParameterError, match="NAME=v 2 is not allowed: expected a name for C such as ecg"):
        select(stages, {"NAME": "v 2"})


def test_the_digest_is_of_bytes_and_roles_not_of_places(stages, tmp_path):
    one, two = tmp_path / "one.onnx", tmp_path / "two.bin"
    one.write_bytes(b"model")
    two.write_bytes(b"model")
    first = collected(stages, tmp_path, ONNX=str(one))
    assert first.input.digest == collected(stages, tmp_path, ONNX=str(two)).input.digest
    with_golden = collected(stages, tmp_path, ONNX=str(one), GOLDEN=str(two)).input.digest
    with_rows = collected(stages, tmp_path, ONNX=str(one), CALIBRATION=str(two)).input.digest
    assert len({first.input.digest, with_golden, with_rows}) == 3
    assert sorted(path.name for path in first.folder.iterdir()) == ["model.onnx", "names.json"]
    two.write_bytes(b"another")
    assert first.input.digest != collected(stages, tmp_path, ONNX=str(two)).input.digest
    folder, given = first.folder, first.input
    del first
    assert (given.checked() / "model.onnx").is_file(), "what a step reads is there for as long as the step"
    del given
    assert not folder.exists()


def keeping_weights_in(*locations: str) -> bytes:
    """What a model file says of tensors that are in others, as protobuf writes it."""
    words = [location.encode() for location in locations]
    return b"model" + b"".join(b"j\x00\x0a\x08location\x12" + bytes([len(word)]) + word for word in words)


def test_weights_beside_the_file_travel_with_it_and_enter_the_key_and_nothing_outside_its_folder_does(stages, tmp_path):
    model = tmp_path / "here" / "net.onnx"
    (model.parent / "data").mkdir(parents=True)
    model.write_bytes(
        keeping_weights_in("net.data", "data/w", "../outside", str(tmp_path / "outside"), "link", "missing")
    )
    (model.parent / "net.data").write_bytes(b"1")
    (model.parent / "data" / "w").write_bytes(b"2")
    (model.parent / "other").write_bytes(b"3")
    (tmp_path / "outside").write_bytes(b"4")
    (model.parent / "link").symlink_to(tmp_path / "outside")
    first = collected(stages, tmp_path, ONNX=str(model))
    copied = sorted(str(path.relative_to(first.folder)) for path in first.folder.rglob("*") if path.is_file())
    assert copied == ["data/w", "model.onnx", "names.json", "net.data"]
    (model.parent / "other").write_bytes(b"5")
    assert first.input.digest == collected(stages, tmp_path, ONNX=str(model)).input.digest
    (model.parent / "data" / "w").write_bytes(b"6")
    assert first.input.digest != collected(stages, tmp_path, ONNX=str(model)).input.digest
    model.write_bytes(keeping_weights_in("golden.npz"))
    (model.parent / "golden.npz").write_bytes(b"7")
    with pytest.raises(ParameterError, match="a name that is taken here"):
        collected(stages, tmp_path, ONNX=str(model))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"ONNX": "model.onnx", "EPOCHS": "3"}, "EPOCHS=3 belongs to train"),
        ({"ONNX": "model.onnx", "STAGE": "qcdq"}, "STAGE=qcdq comes before streamline"),
        ({"GOLDEN": "data.npz"}, "GOLDEN=data.npz goes with ONNX="),
        ({"CALIBRATION": "rows.npz"}, "CALIBRATION=rows.npz goes with ONNX="),
        ({"UNCOMPARED": "1"}, "UNCOMPARED=1 goes with ONNX="),
    ],
)
def test_what_has_no_meaning_is_said(stages, typed, said):
    with pytest.raises(ParameterError, match=said):
        from_user_files(stages, typed)


def test_what_is_no_file_is_said(stages, tmp_path):
    with pytest.raises(ParameterError, match="is no file"):
        collected(stages, tmp_path, ONNX=str(tmp_path))


def test_the_closing_table_says_how_the_file_runs_on_by_itself_and_what_was_not_compared():
    compared = {
        "layers": {"uncompared": {"Conv_1 -> c": "onnxruntime 1.25.1: no such operator"}},
        "the file": {"by": "onnxruntime 1.25.1", "y": {"values": 3200, "levels_differing": 12, "largest": 0.25}},
        "GOLDEN": {"y": {"values": 50, "levels_differing": 0, "largest": 1e-07}},
    }
    about = {"metrics": {"compared": compared}, "verification": [], "key": "0" * 64, "parameters": {}}
    artefact = SimpleNamespace(about=about, run={"seconds": 1.0}, path="volumes/streamline/0")
    said = summary(
        [SimpleNamespace(artefact=artefact, about=about, stage=SimpleNamespace(name="streamline"))]
    ).splitlines()
    rows = [line.split() for line in said]
    assert ["the", "file", "(onnxruntime", "1.25.1)", "y", "3,200", "12", "0.25"] in rows and [
        "GOLDEN",
        "y",
        "50",
        "0",
        "1e-07",
    ] in rows
    assert "NOT COMPARED with the file: Conv_1 -> c: onnxruntime 1.25.1: no such operator" in said
