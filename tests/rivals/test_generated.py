"""Generated C behind the benchmark's interface: found by its header, compiled as asked, called without copying."""

import numpy as np
import pytest

from microstage.benchmarks.contest import ours_of
from microstage.benchmarks.generated import Generated, Variant
from microstage.benchmarks.memory import row_of_c
from microstage.errors import ArtefactError, MicrostageError

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
        runtime.put({"input": np.array([[-128, 127, 1, 1]], np.int8)})
        assert runtime.call() == 0
        expected = [0, 0]
        expected[factor - 1] = 1000 * (-128 + 254 + 3 + 4)
        assert runtime.get().tolist() == [expected] and runtime.arena_bytes == 24


def test_c_without_the_whole_networks_function_is_refused(folder, tmp_path):
    (folder / "tiny.h").write_text("int other(void);")
    with pytest.raises(ArtefactError, match="declares <model>_infer"):
        Generated(folder, Variant("any", ()), tmp_path)
    assert ours_of(tmp_path / "nowhere", tmp_path) == {}


def test_c_that_the_compiler_refuses_is_one_sentence_with_its_words(folder, tmp_path):
    with pytest.raises(MicrostageError, match="FACTOR"):
        Generated(folder, Variant("no factor", ("-std=c99",)), tmp_path)


def test_sizes_are_those_of_the_network_without_its_self_test(folder, tmp_path, monkeypatch):
    (folder / "tiny.c").write_text(SOURCE.replace("FACTOR", "1"))
    runtime = Generated(folder, Variant("any", ()), tmp_path)
    _, flash, arena = row_of_c(folder, runtime, tmp_path)
    constants, code = (int(part) for part in flash.split(" + "))
    assert 4 <= constants < 64 and 0 < code < 500 and arena == "24"
