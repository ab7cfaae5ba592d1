"""A float network of the tiny family: trained, quantised, retrained, exported with every dialect's files."""

import json
import subprocess

import pytest

from microstage_runner.process import REPOSITORY

SMALL = ("WIDTH=2", "IMAGES=100", "EPOCHS=1", "RETRAIN_EPOCHS=1")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What `make export MODEL=resnet8` printed, and where its artefacts are."""
    volumes = tmp_path_factory.mktemp("volumes")
    (volumes / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    command = ["make", "--silent", "export", "MODEL=resnet8", *SMALL, "RUNNER=local", f"VOLUMES={volumes}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout, volumes


def manifest(volumes, stage):
    return json.loads(next(volumes.glob(f"{stage}/*/manifest.json")).read_text())["microstage"]


def test_integers_are_equal_and_each_accuracy_is_said(made):
    said, volumes = made
    proofs = manifest(volumes, "export")["verification"]
    assert proofs and all(proof["compared"] == proof["equal"] > 0 for proof in proofs)
    [row] = [line.split() for line in said.splitlines() if line.startswith("accuracy ") and "%" not in line]
    metrics = manifest(volumes, "train")["metrics"]
    wanted = [metrics[f"test.{step}accuracy"] for step in ("float_", "calibrated_", "")]
    assert [float(value) for value in row[1:]] == pytest.approx(wanted, abs=1e-3)


def test_what_is_exported_has_dianas_dialect_with_all_that_it_computes(made):
    _, volumes = made
    [folder] = volumes.glob("export/*/diana")
    names = {path.name for path in folder.iterdir()}
    count = len([name for name in names if name.startswith("intermediate_")])
    assert count == 14, "nine convolutions, three sums, the mean and the scores"
    dumps = {f"intermediate_{place}.npy" for place in range(count)}
    assert names == {"model.onnx", "model_annotated.onnx", "input.npy", "output.npy", *dumps}
