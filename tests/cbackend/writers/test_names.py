"""Whatever tensors, nodes and parts of a graph are called, and the network itself, the C compiles and is proven."""

import subprocess

import numpy as np
import pytest
from graphs import Graph, evaluate, write_artefact
from written import write_files

from microstage.errors import ParameterError
from microstage.interface.c_names import is_network_name, network_name, part_name, unique
from microstage_cbackend.build import compile_and_run
from microstage_cbackend.generate import read_model
from microstage_cbackend.vectors.plan import make_plan
from microstage_cbackend.writers.names import quoted

LONG = (
    "functional_1/activation/Relu;functional_1/batch_normalization/FusedBatchNormV3;functional_1/"
    "conv2d/BiasAdd-ReadVariableOp/"
)
ALIKE = [
    "out:0",
    "out/0",
    "out.0",
    "out_0",
    "out_0_2",
    "_out__0_",
    LONG + "x",
    LONG + "y",
    "é",
    "ü",
    "输入",
    "*/ #error",
    'a "b\\n%d',
    "??/",
    "",
]
TAKEN = (
    "stdin errno INT8_MAX main abs exp expf y0 j1 I complex NULL assert EOF linux unix i386 bool true register class "
    "new this"
    " int8_t CHAR_BIT HUGE_VAL isnan printf index signal time memory arena ctx status state step steps gain i vector "
    "nearest"
    " tiny_infer tiny_arena tiny_model tiny_ctx TINY_OK tiny_status ms_within_i8 x x_integers x_scale 0 9lives A0 "
    "OUTPUT E PI"
).split()
HEADERS = (
    "assert complex ctype errno float inttypes limits math setjmp signal stdbool stdio stdlib string tgmath time unistd"
)
UNIT = "°C */ #error ??/\n#error \\\n<script> | ` [a](b) \x1b[2J \u202e"
FEW = 3


def graph() -> tuple[Graph, list[str]]:
    """A product for every name: an input, a node, weights and an output of that name, as far as a graph may have
    all."""
    random, g, outputs = np.random.default_rng(0), Graph(), []
    names = [name for name in (*ALIKE, *TAKEN) if name]
    for place, name in enumerate(names):
        x = g.input(name, (1, 3))
        y = g.node("MatMul", x, g.constant(f"w {name}", random.integers(-9, 9, (3, 2))))
        # what one name has as an input, the next has as an output, but for what would be one tensor
        outputs.append(
            g.threshold(y, np.sort(random.integers(-99, 99, (2, 7))), output=[f"{name}{' ' * (place % 3)}'"])
        )
        for node in g.nodes[-2:]:
            node.name = name
    return g, outputs


def artefact(folder):
    """The graph, its integers, and real numbers in and out of it."""
    random, (g, outputs) = np.random.default_rng(1), graph()
    model, rows = g.model(*outputs), []
    for _ in range(FEW):
        feeds = {name: random.integers(-128, 128, shape) for name, shape in g.inputs.items()}
        rows.append({**feeds, **evaluate(model, feeds)})
    golden = {name: np.stack([row[name] for row in rows]) for name in (*g.inputs, *outputs)}
    golden |= {f"real.{name}": (values * 0.5).astype(np.float32) for name, values in golden.items()}
    facts = {
        side: {name: {"scale": 0.5, "unit": UNIT} for name in names}
        for side, names in (("inputs", g.inputs), ("outputs", outputs))
    }
    return write_artefact(folder, {"model": model}, golden, facts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    source, out = artefact(tmp_path_factory.mktemp("in")), tmp_path_factory.mktemp("out")
    model = read_model(source)
    return write_files(model, make_plan(model, dict(np.load(source / "golden.npz"))), out)


@pytest.mark.parametrize("dialect", ["c99", "gnu11"])
def test_every_name_of_a_tensor_compiles_and_its_integers_are_compared(folder, dialect):
    results = compile_and_run(folder, {}, (f"-std={dialect}", "-Wall", "-Wextra", "-Wshadow", "-Werror"))
    named = [name for name in (*ALIKE, *TAKEN) if name]
    assert len(results) == 3 * len(named) and all(
        r.compared == r.equal > 0 for r in results
    )  # integers, real answers, refusals
    assert len({r.boundary for r in results}) == len(results)


@pytest.mark.parametrize("language", ["c", "c++"])
def test_headers_are_read_behind_those_of_the_library(folder, tmp_path, language):
    chosen = HEADERS.replace("complex ", "").replace("tgmath ", "") if language == "c++" else HEADERS
    text = "".join(f"#include <{name}.h>\n" for name in chosen.split()) + '#include "tiny.h"\n#include "tiny_float.h"\n'
    (tmp_path / "user.c").write_text(text + "tiny_arena arena;\n")
    command = [
        "gcc",
        "-x",
        language,
        "-Wall",
        "-Wextra",
        "-Wshadow",
        "-Werror",
        f"-I{folder}",
        "-c",
        "-o",
        "user.o",
        "user.c",
    ]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_no_name_is_broken_by_the_end_of_a_line(folder):
    text = (folder / "tiny.c").read_text()
    assert len(LONG) > 116 and text.count(unique([LONG + "x"])[0]) >= 2 and quoted(LONG + "x") in text
    assert max(len(line) for line in text.splitlines() if quoted(LONG) not in line) <= 120


def test_what_a_user_calls_things_acts_on_no_reader(folder):
    texts = {
        path.name: path.read_text(errors="replace")
        for path in folder.rglob("*")
        if path.suffix in (".c", ".h", ".md", ".txt")
    }
    assert "°C" in texts["tiny.h"] and "°C" in texts["README.md"]
    assert not any(set("\x1b\u202e") & set(text) for text in texts.values())
    assert "<script>" not in texts["README.md"] and "](b)" not in texts["README.md"] and "??/" not in texts["tiny.h"]


def test_of_two_that_would_be_one_the_second_has_a_number():
    assert unique(["out:0", "out/0", "out_0_2", "x", "X"]) == ["out_0", "out_0_2", "out_0_2_2", "x", "v_X"]


REFUSED = [*"test math Aux c 1x int esp ms Arduino_x x__y _x é stdout main".split(), "a b", "n" * 41]


def test_a_part_is_called_as_its_model_calls_it_but_for_what_every_network_has():
    assert [part_name(text) for text in ("step", "int", "2nd", "infer", "infer_float", "sub/lstm")] == [
        "step", "int", "2nd", "v_infer", "v_infer_float", "sub_lstm"
    ]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_network_may_be_called_is_refused_and_a_file_called_so_is_renamed(name, tmp_path):
    made = network_name(name)
    assert not is_network_name(name) and is_network_name(made) and len(made) <= 40
    with pytest.raises(ParameterError, match="NAME=.* is not allowed: expected a name for C"):
        read_model(tmp_path, name)


def test_a_network_is_called_as_the_file():
    stems = {
        "ecg": "ecg",
        "kws-w3a3": "kws_w3a3",
        "Model (2)": "model_2",
        "pretrainedResnet_qdq": "pretrainedresnet_qdq",
    }
    assert {stem: network_name(stem) for stem in stems} == stems
