"""A script of the DIANA framework runs with its import changed."""

import numpy as np
import pytest
import torch
from random_floats import random_network, random_pictures

from microstage.errors import ModelError
from microstage.quantisation.diana import DianaModule


def test_the_frameworks_own_script_runs_and_writes_its_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = random_network(0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    dataloader = [(torch.zeros(8), random_pictures(seed)) for seed in range(2)]

    def representative_dataset():
        for _, data in dataloader:
            yield data

    # create a fake quantized model from a regular pytorch model
    fq_model = DianaModule(
        DianaModule.from_trainedfp_model(model),
        representative_dataset,
    )

    # enable weights and activation quantization (fake quantized)
    fq_model.set_quantized(activations=True)

    # rewrite operations to match the hardware (still fake quantized)
    fq_model.map_to_hw()

    # convert all decimal values to integer values (true quantized)
    fq_model.integrize_layers()

    # export to onnx
    fq_model.export_model("export")

    written = {path.name: np.load(path) for path in (tmp_path / "export").glob("*.npy")}
    assert all((array == np.rint(array)).all() for array in written.values())
    assert {"input.npy", "output.npy", "intermediate_0.npy"} <= set(written)
    x = dataloader[0][1]
    assert float((fq_model(x) - model(x)).norm() / model(x).norm()) < 0.1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_frameworks_own_integers_floor_and_move_the_norms_while_they_calibrate():
    module = DianaModule(random_network(0), lambda: [random_pictures(0)], "diana-compat")
    module.set_quantized()
    module.map_to_hw()
    module.integrize_layers()
    rounded = {getattr(operation, "rounding", "floor") for operation in module.integers.operations}
    assert rounded == {"floor"}


def test_steps_out_of_order_are_one_sentence():
    module = DianaModule(random_network(0), lambda: [random_pictures(0)])
    for step in (module.map_to_hw, module.integrize_layers):
        with pytest.raises(ModelError, match=r"call set_quantized\(\) first"):
            step()
    module.set_quantized()
    with pytest.raises(ModelError, match=r"call integrize_layers\(\) first"):
        module.export_model("export")
    with pytest.raises(ModelError, match="holds no batch"):
        DianaModule(random_network(0), lambda: []).set_quantized()
