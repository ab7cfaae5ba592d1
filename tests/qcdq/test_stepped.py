"""Networks that are stepped window by window, of random widths: whole stages, and the composed models against their
golden vectors."""

import numpy as np
import pytest
from conftest import Stage
from onnx import TensorProto, helper
from stepped import Form, definition
from stepped_stage import write_export
from test_stage import assert_held, run_by_hand, windows_of

from microstage.errors import ModelError
from microstage.interface import golden
from microstage.models.definition import ModelDeclaration
from microstage_qcdq.reading import network_of

FORMS = {
    "narrow": Form(seed=1, window_bits=8, estimate_bits=9, bits=4, most=2, length=3),
    "wide": Form(seed=2, window_bits=12, estimate_bits=16, samples=48, most=5, channels=7, hidden=3),
    "short": Form(seed=3, window_bits=10, estimate_bits=12, samples=9, most=3, hidden=9, width=2, bits=6),
    "8 bits": Form(seed=4, window_bits=9, estimate_bits=8, samples=16, most=4, length=6),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_drawn_network_is_proven_and_its_composed_step_holds_every_integer(tmp_path, form):
    stage = Stage(tmp_path)
    write_export(stage.source, FORMS[form])
    assert stage.run() == 0
    vectors = golden.load(stage.out / golden.FILE)
    assert_held(vectors, *run_by_hand(stage.out, windows_of(vectors)))
    assert set(np.unique(vectors["keep"])) == {0, 1}
    assert vectors["count_next"][:, :-1].max() == FORMS[form].most, "a mean that is full"
    assert np.ptp(vectors["gain_exponent"], axis=1).max() == 120, "a record that goes from end to end of the gain"


def test_states_that_are_carried_without_an_lstm_are_one_sentence():
    def real(name, width):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])

    nodes = [("Add", ["sum", "window"], "sum_next"), ("Abs", ["count"], "count_next"), ("Neg", ["count"], "correction")]
    graph = helper.make_graph(
        [helper.make_node(operator, taken, [made]) for operator, taken, made in nodes],
        "sums",
        [real("window", 8), real("sum", 8), real("count", 4)],
        [real("sum_next", 8), real("count_next", 4), real("correction", 4)],
    )
    described = definition(FORMS["narrow"])
    del described["inputs"]["estimate_1"], described["carried"]["estimate_1"]
    described["gain"]["scaled"] = ["sum"]
    with pytest.raises(ModelError, match="carries states from step to step, and the network has no LSTM"):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        network_of(model, ModelDeclaration.of(described))
