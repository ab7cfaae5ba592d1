"""Folding: to cycles, to frames a second, and as a file of FINN's says."""

import json
import tomllib
from pathlib import Path

import pytest
from binary_networks import BinaryPart
from qonnx.core.modelwrapper import ModelWrapper
from stage_runs import FIXTURES, StageOnParts

import microstage_streamline
from microstage.errors import ParameterError
from microstage_streamline.finn.count import counted, in_short
from microstage_streamline.finn.folding import Folding, extracted
from microstage_streamline.finn.hardware import finn, partitioned, quietly, specialised
from microstage_streamline.preceding_stage import convert_part

PART = "xc7z020clg400-1"
PUBLISHED = json.loads((FIXTURES / "folding" / "cnv-w1a1.json").read_text())


@pytest.fixture(scope="module")
def cnv():
    """CNV-1W1A in its full width, with drawn weights, as layers that are not folded yet. A test folds a copy."""
    part = BinaryPart((1, 3, 32, 32), 1)
    part.activate(1)
    for index, channels in enumerate((64, 64, 128, 128, 256, 256)):
        part.conv(channels, 3, 1)
        part.norm()
        part.activate(1)
        if index in (1, 3):
            part.pool()
    part.flatten()
    for size in (512, 512):
        part.dense(size, 1)
        part.norm()
        part.activate(1)
    part.dense(10, 1)
    model, interface = part.answer(10, 1.5)
    with quietly():
        return specialised(partitioned(convert_part(model, interface).streams).layers, PART)


def folded(cnv, said, target_cycles=8192):
    return Folding(target_cycles, said).applied(ModelWrapper(cnv.model.SerializeToString()))


def cycles_of(layers):
    return layers.analysis(finn("analysis.fpgadataflow.exp_cycles_per_layer.exp_cycles_per_layer"))


def test_cnv_at_its_published_folding_takes_the_published_cycles(cnv):
    layers = folded(cnv, PUBLISHED)
    cycles = cycles_of(layers)
    assert max(cycles.values()) == 32768 == cycles["MVAU_hls_6"] == cycles["MVAU_hls_7"]
    folding = extracted(layers)
    for key, said in PUBLISHED.items():
        if not key.startswith("ConvolutionInputGenerator"):
            assert folding[key].items() >= said.items()
    # the third window of the file is that of the third convolution, and a window of a pool here
    windows = [name for name in folding if name.startswith("ConvolutionInputGenerator")]
    assert [folding[name]["SIMD"] for name in windows if name[-1] in "013467"] == [3, 32, 32, 32, 32, 32]
    assert folding["Thresholding_rtl_1"]["PE"] == 16  # as inside of its matrix unit, where it once was


def test_names_of_older_versions_are_those_of_the_same_layers(cnv):
    old = {
        "MVAU_hls": "StreamingFCLayer_Batch",
        "Thresholding_rtl": "Thresholding_hls",
        "ConvolutionInputGenerator_rtl": "ConvolutionInputGenerator_hls",
        "LabelSelect_hls": "LabelSelect_Batch",
    }
    renamed = {f"{old[key.rpartition('_')[0]]}_{key.rpartition('_')[2]}": said for key, said in PUBLISHED.items()}
    renamed["StreamingFIFO_3"] = {"depth": 32}
    assert extracted(folded(cnv, renamed)) == extracted(folded(cnv, PUBLISHED))
    assert extracted(folded(cnv, extracted(folded(cnv, PUBLISHED)))) == extracted(folded(cnv, PUBLISHED))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"MVAU_hls_9": {"PE": 1}}, "FOLDING says MVAU_hls_9, of which the network has none"),
        ({"Softmax_0": {"PE": 1}}, "FOLDING says Softmax_0, of which"),
        ({"MVAU_hls_0": {"PE": 5}}, "PE=5 of MVAU_hls_0, which does not divide"),
        ({"MVAU_hls_0": {"PE": 0}}, "PE=0 of MVAU_hls_0: expected a whole number above 0"),
        ({"MVAU_hls_0": {"lanes": 4}}, "lanes=4 of MVAU_hls_0, which FINN does not take"),
        ({"MVAU_hls_0": 4}, "expected attributes"),
        ({"MVAU_hls_0": {"PE": 1}, "MVAU_rtl_0": {"PE": 2}}, "another name of layer MVAU_hls_0"),
        ({"Pool_hls_0": {"PE": 2}, "ConvolutionInputGenerator_rtl_2": {"SIMD": 4}}, "expected the same"),
    ],
)
def test_what_fits_no_layer_is_one_sentence(cnv, said, sentence):
    with pytest.raises(ParameterError) as error:
        folded(cnv, said)
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_frames_a_second_are_cycles_of_the_clock():
    asked = {"target_cycles": 8192, "clk_ns": 10.0, "target_fps": 0, "folding": ""}
    assert Folding.of(asked) == Folding(8192)
    assert Folding.of(asked | {"target_fps": 3000}).target_cycles == 33333
    with pytest.raises(ParameterError, match="TARGET_FPS=100000001 is above 1e\\+08"):
        Folding.of(asked | {"target_fps": 100000001})


def test_a_network_of_several_graphs_says_which(tmp_path, capfd):
    stage = StageOnParts(tmp_path)
    stage.parameters |= {"folding": json.dumps({"MVAU_rtl_0": {"PE": 1}})}
    assert stage.run() == 2 and "has 3 graphs: expected" in capfd.readouterr().err
    stage.parameters |= {"folding": json.dumps({"submlp": {"MVAU_rtl_0": {"PE": 5, "SIMD": 1}}})}
    assert stage.run() == 0
    said = capfd.readouterr().out
    assert "submlp: FOLDING leaves out DuplicateStreams_hls_0" in said and "subcnn: FOLDING" not in said
    folding = json.loads((stage.out / "finn" / "submlp" / "folding.json").read_text())
    assert (folding["MVAU_rtl_0"]["PE"], folding["MVAU_rtl_0"]["SIMD"]) == (5, 1)


def test_a_total_that_leaves_layers_out_is_a_least(cnv):
    found = counted(folded(cnv, {}), set(), PART, 10.0) | {"unmapped": [], "threshold_bits": {}}
    assert found["not_estimated"] == {"LabelSelect_hls": 1, "Pool_hls": 2}
    least = f"at least {found['resources']['LUT']:,} LUT"
    assert least in in_short(found) and "3 layers of these types not estimated: LabelSelect_hls, Pool_hls" in in_short(
        found
    )
    assert "at least" not in in_short(found | {"not_estimated": {}})
    assert found["latency_bound_cycles"] > found["slowest_layer_cycles"] and "latency" not in in_short(found)


def test_every_part_that_can_be_chosen_is_one_that_finn_knows():
    declared = tomllib.loads((Path(microstage_streamline.__file__).parents[1] / "stage.toml").read_text())
    assert {*declared["parameters"]["fpga_part"]["choices"]} == {*finn("util.basic.part_map").values()}
