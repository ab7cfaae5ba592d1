"""`make prove` at small size: it compares what it says, of the C that was made and over whole sequences, and tells a
wrong integer."""

import re
import shutil

import prove
import pytest
from networks import H, N, T
from random_vectors import random_vectors
from written import CORTEX_M4

from microstage_cbackend.generate import read_model
from microstage_cbackend.network_file.reading.file import read_container
from microstage_cbackend.network_file.writing.network import with_golden

VECTORS = 60
pytestmark = pytest.mark.usefixtures("one_form")


@pytest.fixture
def made(harmonic_source, harmonic_made):
    """(streamlined graphs, the C that the stage made of them) of encoder, recurrent cell and head."""
    return harmonic_source, harmonic_made


def test_vectors_have_the_ends_of_the_range_noise_and_what_is_near_to_golden_ones(made):
    graphs, _ = made
    model = read_model(graphs)
    (taken,), windows = model.recurrent.inputs, random_vectors(model, graphs, VECTORS)["window"].reshape(VECTORS, N)
    assert (
        (windows[0] == taken.low).all()
        and (windows[1] == taken.high).all()
        and len({*map(bytes, windows.astype("i1"))}) == VECTORS
    )


def test_integers_of_whole_sequences_and_streams_are_compared(made):
    row, interpreted = prove.prove("tiny", *made, VECTORS, 60)
    calls = 3  # of 1, 2 and the last 1 of 4 steps
    each = (
        T * 3 + T * 2 * H + calls * 2 * H + 2 * 4
    )  # features, states, states behind calls, the head alone and the whole
    assert row[0] == "tiny" and row[3:] == (str(VECTORS), f"{VECTORS * each:,}", "0")
    assert interpreted[2].startswith("interpreter") and interpreted[3:] == (str(VECTORS), f"{VECTORS * 4:,}", "0")


def test_the_c_runs_on_other_machines_too(made, monkeypatch):
    if CORTEX_M4.missing:
        pytest.skip(CORTEX_M4.missing)
    monkeypatch.setattr(prove, "_machines", lambda: [CORTEX_M4])
    *here, there = prove.prove("tiny", *made, VECTORS, 60)
    assert len(here) == 2 and there[2] == "-O2 for cortex-m4" and there[-1] == "0"


def test_a_wrong_integer_is_a_mismatch(made, monkeypatch):
    def wrong(*arguments):
        found = random_vectors(*arguments)
        found["cell"][3, 2, 1] ^= 1
        return found

    monkeypatch.setattr(prove, "random_vectors", wrong)
    row, _ = prove.prove("tiny", *made, VECTORS, 60)
    assert "cell[3, 2, 1]" in row[-1]


def test_it_is_the_c_that_was_made_that_is_compared(made, tmp_path):
    graphs, c = made[0], shutil.copytree(made[1], tmp_path / "c")
    (source,) = c.glob("*_weights.c")
    changed = re.sub(r"(\{[^{}]*\n\s+)-?\d+", r"\g<1>99", source.read_text(), count=1)  # the first weight of all
    source.write_text(changed)
    (c / "tiny.msn").write_bytes(with_another_constant((c / "tiny.msn").read_bytes()))
    for row in prove.prove("tiny", graphs, c, VECTORS, 60):
        assert "differs from the reference" in row[-1]


def with_another_constant(data: bytes) -> bytes:
    """The network file with other weights, and right checksums."""
    file = read_container(data)
    file.sections["CONS"] = bytes(byte ^ 1 for byte in file.sections["CONS"])
    return with_golden(file, file.sections["GOLD"])
