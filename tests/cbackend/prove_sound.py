"""`make prove` of a network that hears: its C on clips of its dataset, beside the reference in Python.

    python tests/cbackend/prove_sound.py CLIPS.json ...

CLIPS.json: {"name", "graphs": artefact of streamline, "c": what cbackend made of it, "parameters" and "data" of its
training}. At most 1000 clips, those of the test first, go through every compilation, among them a Cortex-M4's, whose C
library is newlib. All must give the same bytes. They may differ from the reference's (float64, rounded to float32) by
one level, one byte in 49,000 at most, and no class may change. Exit code 3 if not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage.datasets.speech.reading import read
from microstage.errors import MicrostageError, VerificationError
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage.models.kws.clips import mixed
from microstage.untrusted.onnx_file import read_onnx
from microstage_bench.emulators import MACHINES
from microstage_bench.tables import table
from microstage_cbackend.build import compiled
from microstage_cbackend.generate import graphs_of, read_model
from microstage_cbackend.program.model import Model
from microstage_cbackend.vectors.sounds import levels

HOST = [(c, (level,)) for c in ("gcc", "clang") for level in ("-O0", "-O1", "-O2", "-O3", "-O3 -march=native", "-Os")]
EMULATED = [machine for machine in MACHINES if machine.name == "cortex-m4"]
HEADER = ("network", "compiler", "flags", "clips", "bytes", "other than Python's", "levels", "classes changed")
_MOST = 1000
_RARE = 49_000  # one byte in so many may differ
_DRIVER = """/* Reads windows of samples and writes features and answers. */
#include <stdio.h>
#include "{name}_features.h"

static {name}_arena arena;
static int16_t pcm[{samples}];
static {type} features[{size}];
static {answer} answers[{answers}];

int main(void)
{{
    const {name}_ctx ctx = {{ &arena }};
    FILE *in = fopen("sounds", "rb"), *out = fopen("heard", "wb");
    while (in && out && fread(pcm, sizeof pcm, 1, in) == 1) {{
        if ({name}_features(&ctx, pcm, features) || {name}_infer_sound(&ctx, pcm, answers)) {{
            return 1;
        }}
        fwrite(features, sizeof features, 1, out);
        fwrite(answers, sizeof answers, 1, out);
    }}
    return !in || !out || fclose(out);
}}
"""


@dataclass(frozen=True)
class Heard:
    """What a compilation made of clips: `features` [n, values], `answers` [n, classes]."""

    features: np.ndarray
    answers: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        return np.argmax(self.answers, axis=1)


def heard(
    model: Model, folder: Path, pcm: np.ndarray, compiler: str, flags: tuple[str, ...], emulator: tuple[str, ...] = ()
) -> Heard:
    """Of `pcm` int16 [n, samples] by the C in `folder`; an emulated machine lays its files in the folder that it runs
    in."""
    (features,), ((_, answers),) = model.ends
    sizes = {"samples": model.features.samples, "size": features.size, "answers": answers.size}
    (folder / "driver.c").write_text(
        _DRIVER.format(name=model.name, type=features.ctype, answer=answers.ctype, **sizes)
    )
    (folder / "sounds").write_bytes(pcm.astype("<i2").tobytes())
    sources = sorted(path.name for path in folder.glob("*.c"))
    compiled(folder, "driver", sources, ("-std=c99", *flags), compiler)
    done = subprocess.run([*emulator, str(folder / "driver")], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MicrostageError(
            f"The C of {model.name} heard nothing: code {done.returncode}: {done.stderr.strip()[-500:]}"
        )
    kinds = [np.dtype(t.ctype.removesuffix("_t")).newbyteorder("<") for t in (features, answers)]
    row = np.dtype([("features", kinds[0], features.size), ("answers", kinds[1], answers.size)])
    found = np.fromfile(folder / "heard", row)
    if len(found) != len(pcm):
        raise MicrostageError(f"The C of {model.name} heard {len(found)} of {len(pcm)} clips.")
    return Heard(found["features"].astype(np.int64), found["answers"].astype(np.int64))


def _clips(parameters: dict, data: str | None) -> np.ndarray | None:
    """int16 [n, samples]; None of a dataset whose audio is not at hand."""
    speech = read(parameters, Path(data) if data else None)
    splits = (speech.test, speech.validation, speech.train)
    return None if speech.test.pcm is None else np.concatenate([mixed(split).pcm for split in splits])[:_MOST]


def prove(asked: dict) -> Iterator[tuple[str, ...]]:
    """A row of the table per compilation; `VerificationError` at the first that is too far away."""
    graphs, c = Path(asked["graphs"]), Path(asked["c"])
    (header,), (graph,) = c.glob("*_features.h"), graphs_of(graphs).values()
    model = read_model(graphs, header.name.removesuffix("_features.h"))
    pcm = _clips(asked["parameters"], asked["data"])
    if pcm is None:
        return
    expected = levels(model.features, pcm, model.facts_of_ends()[model.features.input])
    interpreter = Interpreter(read_onnx(graph))
    (answers,) = interpreter.run({interpreter.inputs[0]: expected}).values()
    classes, first = np.argmax(integers(answers), axis=1), None
    forms = [(compiler, flags, ()) for compiler, flags in HOST]
    forms += [(m.compiler, ("-O2", *m.flags, *m.link), m.emulator) for m in EMULATED if not m.missing]
    for compiler, flags, emulator in forms:
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copytree(c, scratch, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.npz"))
            found = heard(
                model, Path(scratch), pcm, compiler, tuple(w for flag in flags for w in flag.split()), emulator
            )
        first = found if first is None else first
        yield assert_near(asked["name"], expected, classes, found, first, compiler, flags[0])


def assert_near(
    name: str, expected: np.ndarray, classes: np.ndarray, found: Heard, first: Heard, compiler: str, flags: str
) -> tuple[str, ...]:
    """The row, once it is what the module's text says."""
    apart, changed = np.abs(found.features - expected), int(np.count_nonzero(found.classes != classes))
    different, most = int(np.count_nonzero(apart)), int(apart.max())
    if different > max(1, apart.size // _RARE) or most > 1 or changed:
        where = (
            f"{different} of {apart.size} bytes differ from the reference, by up to {most} levels; "
            f"{changed} classes changed"
        )
        raise VerificationError(f"{name} by {compiler} {flags}: {where}.")
    if not np.array_equal(first.features, found.features) or not np.array_equal(first.answers, found.answers):
        raise VerificationError(f"{name} by {compiler} {flags} gives other bytes than by the compiler before.")
    return name, compiler, flags, f"{len(apart):,}", f"{apart.size:,}", str(different), str(most), str(changed)


def main(words: list[str]) -> int:
    rows = []
    for word in words:
        for row in prove(json.loads(Path(word).read_text())):
            rows.append(row)
            print("  ".join(row), flush=True)
    if rows:
        print("\n" + table(HEADER, rows))
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except MicrostageError as error:
        print(f"prove: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
