"""`make quantisers`: which networks it compares methods on, and what it refuses."""

import pytest

from microstage.errors import ParameterError
from microstage_runner.commands import quantisers
from microstage_runner.process import REPOSITORY


def test_a_network_that_has_no_methods_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(
        ParameterError, match="NETWORKS=tfc-1w1a is none that methods are compared on: expected some of resnet8 "
    ):
        quantisers.command({"NETWORKS": "dae tfc-1w1a", "VOLUMES": str(tmp_path)}, REPOSITORY)
    with pytest.raises(ParameterError, match="NETWORKS=dae in place of MODEL="):
        quantisers.command({"MODEL": "dae", "VOLUMES": str(tmp_path)}, REPOSITORY)
    assert not list(tmp_path.iterdir())
