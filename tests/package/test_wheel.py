"""The wheel: built, installed read-only into an empty environment, used in an empty folder, without the checkout."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import doors
import pytest
from places import REPOSITORY

NETWORK = """
import numpy as np, onnx, sys
from onnx import TensorProto, helper, numpy_helper
rng = np.random.default_rng(3)
kept = {"s": np.float32(1 / 16), "z": np.int8(0), "t": np.float32(1 / 8)}
kept["w"] = rng.integers(-7, 8, (6, 3)).astype(np.int8)
nodes = [
    ("QuantizeLinear", "x s z", "q"), ("DequantizeLinear", "q s z", "d"), ("DequantizeLinear", "w t z", "v"),
    ("MatMul", "d v", "m"), ("Relu", "m", "r"), ("QuantizeLinear", "r t z", "o"), ("DequantizeLinear", "o t z", "y"),
]
nodes = [helper.make_node(kind, given.split(), [made]) for kind, given, made in nodes]
ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])] for name, size in (("x", 6), ("y", 3))]
graph = helper.make_graph(nodes, "g", *ends, [numpy_helper.from_array(np.array(v), n) for n, v in kept.items()])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), sys.argv[1])
"""
USES = """
import json, sys, numpy as np, microstage
from microstage.errors import ParameterError
made = microstage.compile("tiny.onnx", target="cbackend", runner="local")
golden = np.load(made.path / "golden.npz")
x, y, real = golden["x"], golden["y"], golden["real.x"]
assert np.array_equal(made.predict(x), y) and np.array_equal(made.predict(x[7]), y[7])
assert made.predict(x[:0]).shape == (0, 3)
assert np.array_equal(made.predict(real), golden["real.y"]) and np.array_equal(made.predict({"x": x}), y)
traced = made.trace(x[:9])
assert np.array_equal(traced["y"], y[:9]) and np.array_equal(traced["x"], x[:9])
assert np.array_equal(made.trace(real[3])["y"], np.rint(golden["real.y"][3] * 8))
refused = []
for bad in (x[:, :3], real[0] * np.nan, np.full(6, 300), x > 0, {"z": x}, [[1, 2], [3]]):
    try:
        refused.append(str(made.predict(bad)))
    except ParameterError as error:
        refused.append(str(error))
proofs = made.verify()
said = {"path": str(made.path), "page": str(made.report()), "html": made._repr_html_()}
said |= {"places": list(traced), "refused": refused}
print(json.dumps({**said, "compared": sum(proof["compared"] for proof in proofs)}))
"""
COMPLETES = """
source <(microstage completion bash)
for typed in "str" "streamline --cyc" "train --model resnet1" "train MODEL=tfc"; do
    line="microstage $typed"; COMP_LINE=$line; COMP_POINT=${#line}; COMP_TYPE=9; COMPREPLY=()
    _python_argcomplete microstage
    echo "${COMPREPLY[@]}"
done
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", *command, REPOSITORY], check=True, cwd=folder)
    return next(folder.glob("*.whl"))


class Installed:
    """An installed wheel, and the empty folder in which its user stands."""

    def __init__(self, root: Path, wheel: Path) -> None:
        self.here, self.bin = root / "here", root / "venv" / "bin"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.bin.parent], check=True)
        pip = ["pip", "--python", self.bin / "python", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
        subprocess.run([sys.executable, "-m", *pip, wheel], check=True)
        subprocess.run(["chmod", "-R", "a-w", self.tree], check=True)
        packages = root / "packages"  # those that the wheel asks for, and nothing else
        packages.mkdir()
        for name in ("numpy", "argcomplete"):
            found = Path(importlib.util.find_spec(name).origin).parent
            for folder in (found, found.with_name(f"{name}.libs")):
                if folder.is_dir():
                    (packages / folder.name).symlink_to(folder)
        self.environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(root), "PYTHONPATH": str(packages)}
        self.here.mkdir()
        doors.volumes(self.here / "volumes")

    @property
    def tree(self) -> Path:
        return next(self.bin.parent.glob("lib/python3*/site-packages/microstage_installed"))

    def files(self) -> dict[Path, int]:
        """What was installed, and when each file was last written; but for what Python keeps of modules."""
        found = (path for path in self.tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {path: path.stat().st_mtime_ns for path in found}

    def ran(self, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, or of the system, in the empty folder."""
        around = {**self.environment, **environment}
        return subprocess.run(words, env=around, cwd=self.here, capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(scope="module")
def made(installed) -> str:
    """What `microstage cbackend` says of a small network that something else wrote."""
    command = [doors.python_of("streamline"), "-c", NETWORK, installed.here / "tiny.onnx"]
    subprocess.run(command, check=True)
    before = installed.files()
    done = installed.ran("microstage", "cbackend", "--onnx", "tiny.onnx", "--runner=local", "UNCOMPARED=0")
    assert done.returncode == 0, done.stderr
    assert installed.files() == before
    return done.stdout


def test_the_wheel_holds_every_file_that_a_command_without_a_checkout_needs(wheel):
    files = {
        path.relative_to(REPOSITORY).as_posix(): path
        for folder in ("shared", "stages")
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "microstage.pth"
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {
            name.removeprefix("microstage_installed/"): name for name in archive.namelist() if ".dist-info/" not in name
        }
        assert held.keys() == {*files, "LICENSE", "microstage.pth"}
        assert all(archive.read(held[name]) == path.read_bytes() for name, path in files.items())


def test_what_it_makes_has_the_keys_of_the_checkout_and_lies_where_the_user_stands(installed, made):
    path = next(line for line in made.splitlines() if line.startswith("result: ")).removeprefix("result: ")
    assert Path(path).is_relative_to(installed.here / "volumes" / "cbackend")
    words = [f"ONNX={installed.here / 'tiny.onnx'}", "RUNNER=local", f"VOLUMES={installed.here / 'volumes'}"]
    for stage in ("streamline", "cbackend"):
        there, here = (
            installed.ran("microstage", "path", f"STAGE={stage}", *words),
            doors.made("path", f"STAGE={stage}", *words),
        )
        assert there.stdout == here.stdout and here.returncode == 0, here.stderr
    doors.volumes(installed.here / "other")
    elsewhere = installed.ran("microstage", "why", "--stage", "streamline", *words[:2], MICROSTAGE_VOLUMES="other")
    assert "never been published here" in elsewhere.stdout


def test_python_calls_the_c_and_sees_every_tensor(installed, made):
    done = installed.ran("python", "-c", USES)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert f"page: {said['page']}\n" in made and "microstage cbackend" in Path(said["page"]).read_text()
    assert said["path"] in made and said["compared"] > 0 and "integers equal" in said["html"]
    assert said["places"] == ["x", "y", "model/0:MatMul"]
    shape, nan, beyond, truth, name, ragged = said["refused"]
    assert shape.endswith("expected [6], or [n, 6] of n samples.") and "no finite number" in nan
    assert (
        "expected -128 to 127" in beyond and "holds bool" in truth and "the inputs x" in name and "no array" in ragged
    )


def test_a_shell_completes_commands_options_and_values(installed):
    done = installed.ran("bash", "-c", COMPLETES)
    commands, options, networks, words = done.stdout.splitlines()
    assert (commands.strip(), options.strip()) == ("streamline", "--cycles"), done.stderr
    assert networks.strip() == "resnet18" and words.split() == ["tfc-1w1a", "tfc-1w2a", "tfc-2w2a"]
    assert all(installed.ran("microstage", "completion", shell).returncode == 0 for shell in ("zsh", "fish"))


def test_help_lists_the_variables_of_a_command_and_what_needs_a_checkout_says_so(installed):
    said = installed.ran("microstage", "train", "--help").stdout
    assert all(option in said for option in ("--cycles CYCLES", "--force", "--volumes", "parameters of train"))
    assert "--lstm-state-bits" in said and "--script" not in said
    for command in ("test", "ready"):
        done = installed.ran("microstage", command)
        assert (
            done.returncode == 2
            and f"`microstage {command}` works on the sources and tests of a checkout" in done.stderr
        )
    wrong = installed.ran("microstage", "train", "--cycels", "1")
    assert wrong.returncode == 2 and wrong.stderr.endswith("did you mean CYCLES?\n")


def test_no_command_imports_numpy(installed):
    program = "import sys, microstage_runner.cli, microstage_runner.command_line.main; print('numpy' in sys.modules)"
    assert installed.ran("python", "-c", program).stdout == "False\n"
