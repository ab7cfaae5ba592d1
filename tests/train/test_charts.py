"""Pictures are drawn whatever the things in them are called."""

import numpy as np
import pytest

from microstage.charts.confusion import draw


@pytest.mark.parametrize("name", ["$\\frac$", "$5", "a_b^c", "\x1b[2J\u202e\n", "\udc80", ""])
def test_a_class_may_be_called_anything(tmp_path, name):
    draw(tmp_path / "drawn.png", [name, "other"], np.array([[3, 1], [0, 2]]), f"accuracy of {name} and {name}")
    assert (tmp_path / "drawn.png").stat().st_size > 1000
