"""How forms of a network are counted: right answers, other classes, integers that differ."""

import numpy as np

from microstage_cbackend.answering.figures import figures


def test_of_equal_scores_the_first_counts_and_differing_integers_are_counted():
    labels = np.array([0, 1, 1])
    floats = {"raw": np.array([[0.5, 0.1], [0.2, 0.3], [0.4, 0.1]])}
    first, other = np.array([[3, 3], [1, 2], [0, 5]]), np.array([[3, 3], [2, 1], [0, 5]])
    found = figures(labels, floats, {"one": first, "two": other})
    assert [form["correct"] for form in found["forms"]] == [2, 3, 2]
    assert [form["other_class"] for form in found["forms"]] == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    assert (found["examples"], found["compared"], found["differing"]) == (3, 6, 2)
    assert figures(labels, floats, {"one": first, "two": first})["differing"] == 0
