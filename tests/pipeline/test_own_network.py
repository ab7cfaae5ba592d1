"""`ONNX=`: the chain begins at streamline, with a key of the file's bytes; what has no meaning then is said in one sentence."""

from pathlib import Path

import pytest

from microstage.errors import ParameterError
from microstage.runner.cli import REPOSITORY
from microstage.runner.declarations import load_stages
from microstage.runner.entrance import OwnFiles, entered


@pytest.fixture(scope="module")
def stages():
    return load_stages(REPOSITORY)


def collected(stages, tmp_path, **typed) -> OwnFiles:
    return OwnFiles.collect(entered(stages, typed), typed, tmp_path / "volumes")


def test_the_chain_begins_at_the_stage_that_takes_the_file(stages, tmp_path):
    kept = entered(stages, {"ONNX": "model.onnx"})
    assert list(kept) == ["streamline", "cbackend"] and kept["streamline"].inputs == {"network": "files"}
    assert {"report.md", "unresolved.json", "model_finn_streamlined.onnx"} <= kept["streamline"].outputs.keys()
    assert entered(stages, {}) == stages and OwnFiles.collect(stages, {}, tmp_path) is None


def test_the_digest_is_of_bytes_and_roles_not_of_places(stages, tmp_path):
    one, two = tmp_path / "one.onnx", tmp_path / "two.bin"
    one.write_bytes(b"model")
    two.write_bytes(b"model")
    first = collected(stages, tmp_path, ONNX=str(one))
    assert first.digest == collected(stages, tmp_path, ONNX=str(two)).digest
    assert first.digest != collected(stages, tmp_path, ONNX=str(one), GOLDEN=str(two)).digest
    assert [path.name for path in first.folder.iterdir()] == ["model.onnx"]
    two.write_bytes(b"another")
    assert first.digest != collected(stages, tmp_path, ONNX=str(two)).digest
    folder = Path(first.folder)
    first.place.cleanup()
    assert not folder.exists()


@pytest.mark.parametrize(("typed", "said"), [
    ({"ONNX": "model.onnx", "EPOCHS": "3"}, "EPOCHS=3 belongs to train"),
    ({"ONNX": "model.onnx", "STAGE": "qcdq"}, "STAGE=qcdq comes before streamline"),
    ({"GOLDEN": "data.npz"}, "GOLDEN=data.npz goes with ONNX="),
])
def test_what_has_no_meaning_is_said(stages, typed, said):
    with pytest.raises(ParameterError, match=said):
        entered(stages, typed)


def test_what_is_no_file_is_said(stages, tmp_path):
    with pytest.raises(ParameterError, match="is no file"):
        collected(stages, tmp_path, ONNX=str(tmp_path))
