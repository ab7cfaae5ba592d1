"""Generated C behind the benchmark's interface: found by its header, compiled as asked, called without copying."""

import json

import numpy as np
import pytest

from microstage.errors import ArtefactError, MicrostageError
from microstage_bench.generated import Generated, Variant, variants_of
from microstage_bench.memory import sections
from microstage_bench.outputs_agree import distance

HEADER = """
#include <stdint.h>
typedef struct { uint64_t words[3]; } tiny_arena;
typedef struct { tiny_arena *arena; } tiny_ctx;
int tiny_infer(const tiny_ctx *ctx, const int8_t input[4],
               int32_t output[2]);
"""
SOURCE = """
#include "tiny.h"
static const int8_t weights[4] = {1, 2, 3, 4};
int tiny_infer(const tiny_ctx *ctx, const int8_t input[4], int32_t output[2]) {
    ctx->arena->words[0] = 1;
    output[0] = output[1] = 0;
    for (int i = 0; i < 4; i++) output[FACTOR - 1] += input[i] * weights[i] * 1000;
    return 0;
}
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "tiny"
    made.mkdir()
    (made / "tiny.h").write_text(HEADER)
    (made / "tiny.c").write_text(SOURCE)
    (made / "selftest.c").write_text("int main(void) { return 0; }")
    return made


def test_generated_c_is_compiled_with_the_flags_of_its_variant(folder, tmp_path):
    for factor in (1, 2):
        runtime = Generated(folder, Variant(f"factor {factor}", ("-std=c99", f"-DFACTOR={factor}")), tmp_path)
        runtime.put([np.array([[-128, 127, 1, 1]], np.int8)])
        assert runtime.call() == 0
        expected = [0, 0]
        expected[factor - 1] = 1000 * (-128 + 254 + 3 + 4)
        assert runtime.get()[0].tolist() == [expected] and runtime.arena_bytes == 24


def test_several_inputs_and_outputs_are_known_by_their_names(folder, tmp_path):
    (folder / "tiny.h").write_text(
        HEADER.replace("const int8_t input[4],", "const int8_t v_int[2], const int16_t x_1[2], int8_t x_1_2[1],")
    )
    (folder / "tiny.c").write_text(
        '#include "tiny.h"\nint tiny_infer(const tiny_ctx *ctx, const int8_t v_int[2], const int16_t x_1[2], int8_t \
x_1_2[1], int32_t output[2])'
        "{ ctx->arena->words[0] = 1; output[0] = v_int[0] + x_1[0]; output[1] = v_int[1] + x_1[1]; x_1_2[0] = "
        "v_int[1]; return 0; }"
    )
    ends = {
        "inputs": {"int": {"shape": [1, 2], "scale": 1.0}, "x.1": {"shape": [1, 2, 1], "scale": 0.5}},
        "outputs": {"x.1": {"shape": [1, 1]}},
    }
    (folder / "interface.json").write_text(json.dumps({"parts": {"tiny": ends}}))
    runtime = Generated(folder, Variant("any", ("-std=c99",)), tmp_path)
    assert [(end.name, end.shape) for end in (*runtime.inputs, *runtime.outputs)] == [
        ("int", (2,)),
        ("x.1", (2, 1)),
        ("x.1", (1,)),
        ("output", (2,)),
    ]
    runtime.put([np.array([[1, 2]], np.int8), np.array([[300, 400]], np.int16)])
    assert runtime.call() == 0 and [value.tolist() for value in runtime.get()] == [[[2]], [[301, 402]]]


def test_an_answer_that_no_graph_holds_is_that_of_the_function_of_real_numbers(folder, tmp_path):
    given = "tiny_infer_float(const tiny_ctx *ctx, const float waveform[2], float amplitudes[1])"
    (folder / "tiny_float.h").write_text(f'#include "tiny.h"\nint {given};\n')
    body = "{ (void)ctx; amplitudes[0] = waveform[0] - waveform[1] / 4; return 0; }"
    (folder / "tiny.c").write_text(f'#include "tiny_float.h"\nint {given} {body}\n')
    (folder / "interface.json").write_text(json.dumps({"parts": {}, "answer": {"name": "harmonics"}}))
    runtime = Generated(folder, Variant("any", ("-std=c99",)), tmp_path)
    runtime.put([np.array([[1.5, 1]], np.float32)])
    assert runtime.call() == 0 and runtime.get()[0].dtype == np.float32 and runtime.get()[0].tolist() == [[1.25]]
    below = np.nextafter(np.float32(1.25), np.float32(0))
    assert distance(runtime.get()[0], np.array([[below]])).largest == 1


def test_c_without_the_whole_networks_function_is_refused(folder, tmp_path):
    (folder / "tiny.h").write_text("int other(void);")
    with pytest.raises(ArtefactError, match="declares <model>_infer"):
        Generated(folder, Variant("any", ()), tmp_path)
    assert [variant.name for variant in variants_of(folder)] == ["C99", "C99 -mavx2"], (
        "no vector kernels without their header"
    )


def test_c_that_the_compiler_refuses_is_one_sentence_with_its_words(folder, tmp_path):
    with pytest.raises(MicrostageError, match="FACTOR"):
        Generated(folder, Variant("no factor", ("-std=c99",)), tmp_path)


def test_sizes_are_those_of_the_network_without_its_self_test(folder, tmp_path):
    (folder / "tiny.c").write_text(SOURCE.replace("FACTOR", "1"))
    code, constants = sections(folder, tmp_path)
    assert 4 <= constants < 64 and 0 < code < 500
