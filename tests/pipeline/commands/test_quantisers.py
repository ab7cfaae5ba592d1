"""`make quantisers`: which networks it compares methods on, and what it refuses."""

import pytest

from microstage.errors import ParameterError
from microstage_runner.commands import quantisers
from microstage_runner.process import REPOSITORY


def test_a_network_that_is_not_trained_in_floats_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(ParameterError, match="NETWORKS=harmonic is not trained in floats: expected some of .*resnet8"):
        quantisers.command({"NETWORKS": "dae harmonic", "VOLUMES": str(tmp_path)}, REPOSITORY)
    with pytest.raises(ParameterError, match="NETWORKS=dae in place of MODEL="):
        quantisers.command({"MODEL": "dae", "VOLUMES": str(tmp_path)}, REPOSITORY)
    assert not list(tmp_path.iterdir())
