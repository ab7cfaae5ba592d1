"""No input of the C types, in or out of the declared ranges, makes any public function do what C does not define."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from graphs import QONNX, Graph, single
from networks import harmonic_artefact
from stepped_integers import stepped_artefact

from microstage.interface import golden
from microstage_cbackend.generate import files_of, read_model
from microstage_cbackend.vectors.plan import make_plan
from microstage_fuzz.harness import calls, public_headers

FLAGS = ["-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FILLS = "fill_least fill_most fill_halves fill_turns fill_noise".split()

_MAIN = """#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
{includes}
/* The least and the greatest of any type are these bytes, signed or not, little-endian. */
static void fill(unsigned char *to, size_t n, size_t size, int rest, int last)
{{
    for (size_t i = 0; i < n; i++) to[i] = (unsigned char)(i % size == size - 1 ? last : rest);
}}
static void fill_least(unsigned char *to, size_t n, size_t size) {{ fill(to, n, size, 0, 0x80); }}
static void fill_most(unsigned char *to, size_t n, size_t size) {{ fill(to, n, size, 0xff, 0x7f); }}
static void fill_halves(unsigned char *to, size_t n, size_t size)
{{
    fill(to, n / 2, size, 0, 0);
    fill(to + n / 2, n - n / 2, size, 0xff, 0xff);
}}
static void fill_turns(unsigned char *to, size_t n, size_t size)
{{
    for (size_t i = 0; i < n; i++) to[i] = i / size % 2 ? 0xff : 0x80;
}}
static void fill_noise(unsigned char *to, size_t n, size_t size)
{{
    for (size_t i = 0; i < n * (size > 0); i++) to[i] = (unsigned char)rand();
}}

int main(void)
{{
    {model}_ctx ctx = {{ malloc(sizeof({model}_arena)) }};
    void (*const fills[])(unsigned char *, size_t, size_t) = {{ {fills} }};
    int called = 0;
    for (size_t f = 0; f < {count}; f++) {{
{calls}
    }}
    printf("%d\\n", called);
    return 0;
}}
"""


def cases():
    """Stages of every form behind inputs that do not fill their C types, values that are proven by element alone."""
    random, g = np.random.default_rng(0), Graph()
    wild = np.sort(random.integers(-900, 900, (4, 15)), axis=1)  # no line
    x = g.threshold(
        g.node("MatMul", g.input("x", (1, 6), "INT5"), g.constant("w", random.integers(-9, 9, (6, 4)))), wild, -7
    )
    yield "search", g, [g.threshold(x, np.sort(random.integers(-7, 8, (1, 9))), 0)]  # a table
    g = Graph()
    x = g.node(
        "Conv",
        g.input("x", (1, 3, 6, 6), "UINT4"),
        g.constant("v", random.integers(-128, 128, (5, 3, 3, 3))),
        pads=[1] * 4,
    )
    x = g.threshold(x, np.ceil(np.linspace(-4000, 4000, 255))[None] + random.integers(0, 9, (5, 1)), -131, "NCHW")
    x = g.node("Add", x, g.constant("c", [-90]))
    x = g.threshold(
        g.node("Conv", x, g.constant("u", random.integers(-128, 128, (5, 1, 3, 3))), group=5),
        [[-100, 0, 100]],
        0,
        "NCHW",
    )
    yield "bytes", g, [g.node("ArgMax", g.node("Flatten", x), axis=1)]
    g = Graph()
    x = g.node("Mul", g.input("x", (1, 4), "INT20"), g.input("y", (1, 4), "UINT9"))
    y = g.node("MatMul", x, g.constant("t", random.integers(-128, 128, (4, 4))))
    yield "wide", g, [y, g.threshold(x, [[-(2**27), 0, 2**27]], 0)]
    g = Graph()
    x = g.threshold(g.input("x", (1, 6, 6, 3), "INT4"), [[1]], layout="NHWC")
    x = g.node("Im2Col", x, domain=QONNX, stride=[1, 1], kernel_size=[3, 3], input_shape="")
    x = g.node("MatMul", x, g.constant("s", random.choice([-1, 1], (27, 70))))
    yield "bits", g, [g.threshold(x, random.integers(-3, 4, (70, 1)), layout="NHWC")]


@pytest.fixture(params=["harmonic", "stepped", *(name for name, *_ in cases())])
def written(request, tmp_path):
    if request.param == "harmonic":
        source = harmonic_artefact(tmp_path / "in", vectors=2)
    elif request.param == "stepped":
        source = stepped_artefact(tmp_path / "in", count=2)
    else:
        source = next(single(tmp_path / "in", g, outputs) for name, g, outputs in cases() if name == request.param)
    model = read_model(source)
    for path, data in files_of(model, make_plan(model, golden.load(source / golden.FILE))).items():
        if path.startswith("host/") or "/" not in path:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_bytes(data)
    return tmp_path


def test_every_public_function_is_defined_on_every_input_of_its_types(written: Path):
    headers = [path.name for path in public_headers(written)]
    model = next(name.removesuffix(".h") for name in sorted(headers, key=len))
    texts = [call for name in headers for call in calls((written / name).read_text())]
    facts = {
        "includes": "\n".join(f'#include "{name}"' for name in headers),
        "fills": ", ".join(FILLS),
        "count": len(FILLS),
    }
    (written / "main.c").write_text(_MAIN.format(model=model, calls="\n".join(texts), **facts))
    vectors = [
        "-march=native",
        "-DMS_SMALL",
    ]  # of which other networks have fewer calls, which compile in a tenth of the time
    for more in [[]] if (written / "tiny_int16.h").exists() else ([], vectors):
        subprocess.run(
            ["gcc", *FLAGS, *more, "-o", "main", *(p.name for p in written.glob("*.c")), "-lm"], cwd=written, check=True
        )
        done = subprocess.run([written / "main"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) == len(FILLS) * len(texts) > 0
