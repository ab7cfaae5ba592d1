"""The oracle of these tests and the product's integer reference are one: two writings of the same semantics."""

import numpy as np
from networks import tiny_harmonic

from microstage.integer import Interpreter


def test_oracle_equals_the_integer_reference_over_whole_sequences():
    models, golden = tiny_harmonic(seed=5, vectors=4)
    cnn, lstm, mlp = (Interpreter(models[name]) for name in ("subcnn", "sublstm", "submlp"))
    for v in range(4):
        features = cnn.run({"window": golden["window"][v].reshape(1, 1, -1)})["features"]
        assert np.array_equal(features[0], golden["features"][v])
        hidden = cell = np.zeros_like(golden["hidden"][v][:1])
        for t in range(features.shape[1]):
            step = lstm.run({"features_t": features[:, t], "hidden": hidden, "cell": cell})
            hidden, cell = step["hidden_next"], step["cell_next"]
            assert np.array_equal(hidden[0], golden["hidden"][v][t])
            assert np.array_equal(cell[0], golden["cell"][v][t])
        assert np.array_equal(mlp.run({"hidden": hidden})["harmonics"][0], golden["harmonics"][v])
