"""Networks that are stepped window by window, of random widths: whole stages, and the composed models against their
golden vectors."""

import numpy as np
import pytest
from conftest import Stage
from stepped import Form
from stepped_stage import write_export
from test_stage import assert_held, run_by_hand, windows_of

from microstage.interface import golden

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
