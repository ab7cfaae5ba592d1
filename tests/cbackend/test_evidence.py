"""`make prove` at small size: it compares what it says, in every form, and tells a wrong integer."""

import evidence
import lstm_stack
import numpy as np
import prove
import pytest


@pytest.fixture
def one_form(monkeypatch):
    monkeypatch.setattr(prove, "FORMS", [("gcc", ("-O1", *prove.SANITIZERS))])


def test_stacked_lstms_are_bit_exact_over_whole_sequences_and_as_a_stream(one_form, tmp_path):
    calls = 9  # of 1, 2, ... 8 and the last 4 of 40 steps
    (row,) = prove.prove("lstm-stack", evidence.write("lstm-stack", tmp_path), 60, 60)
    assert row[3:] == ("60", f"{60 * (lstm_stack.STEPS + calls) * 2 * sum(lstm_stack.WIDTHS):,}", "0")


def test_states_of_the_stack_use_their_range():
    states = lstm_stack.sequences(lstm_stack.step_graph(), lstm_stack.draw(8, seed=0))
    for name in lstm_stack.STATES:
        assert len(np.unique(states[name])) > 100, name


def test_a_wrong_integer_is_a_mismatch(one_form, tmp_path, monkeypatch):
    def wrong(*arguments):
        found = evidence.random_vectors(*arguments)
        found["cell_1"][3, 7, 2] ^= 1
        return found

    monkeypatch.setattr(prove, "random_vectors", wrong)
    (row,) = prove.prove("lstm-stack", evidence.write("lstm-stack", tmp_path), 50, 60)
    assert "cell_1[3, 7, 2]" in row[-1]
