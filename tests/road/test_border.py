"""The C means the file's own input and output: fronts of all kinds before the first quantiser, and networks that end in
real operators."""

import subprocess
from pathlib import Path

import pytest
from doors import compiled, environment, python_of, volumes

HERE, SEEDS = Path(__file__).parent, (1, 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("border")
    volumes(made / "volumes")
    subprocess.run(
        [python_of("streamline"), HERE / "border_networks.py", made, *map(str, SEEDS), "softmax"],
        env=environment(),
        check=True,
    )
    return made


def answered(folder: Path, name: str, *words: str) -> tuple[Path, str]:
    """(the C, what its function of real numbers answers beside the executor)."""
    made, _ = compiled(folder / f"{name}.onnx", folder / "volumes", *words)
    done = subprocess.run(
        [python_of("streamline"), HERE / "answers.py", made, folder / f"{name}.npz"],
        capture_output=True,
        text=True,
        check=True,
    )
    return made, done.stdout


@pytest.mark.parametrize("seed", SEEDS)
def test_real_numbers_are_those_of_the_files_own_inputs(folder, seed):
    """Lines, norms, moves, pools, crops, splits, clamps in any order; every quantiser and rounding mode; ties among the
    inputs."""
    assert answered(folder, str(seed))[1].startswith("equal ")


def test_what_is_missing_is_said_beside_the_last_line(folder):
    """A bias in front of a softmax: it counts, and the C's page says how the classes are ordered and what is not
    computed."""
    made, said = answered(folder, "softmax", "PARTIAL=1")
    assert said.startswith("equal ")
    page, header = (made / "README.md").read_text(), (made / "softmax.h").read_text()
    assert "Not the whole network" in page and "Softmax -> chances" in page and "NOT THE WHOLE NETWORK" in header
    assert "the largest integer is not the largest value" in page and "is in the order of the values" in page
