"""The model of a Cortex-M4's cycles, on sequences that are counted by hand after Arm's manual."""

from pathlib import Path

import pytest

from microstage.errors import MicrostageError
from microstage_bench.emulators import MACHINES
from microstage_bench.footprint import cortex_m4
from microstage_bench.footprint.executed import Block, Executed
from microstage_bench.footprint.firmware import Build, Firmware

COUNTED = [
    # the manual's own examples of loads that overlap
    ("ldr r0, [r1]; ldr r1, [r2]", 3),
    ("ldr.w r0, [r1, r2]; str r0, [r3, #20]", 3),
    ("ldr.w r0, [r1, r2]; str.w r1, [r3, r2]", 3),
    ("ldr.w r0, [r1, r5]; ldr r1, [r2]; ldr r2, [r3, #4]", 4),
    ("ldr r0, [r1]; ldr r2, [r0]", 2 + 2),  # an address that was only just loaded
    ("str r0, [r1]; ldr r2, [r3]", 1 + 2),  # nothing overlaps a store in front of it
    ("str.w r0, [r1, r2]; str.w r0, [r1, r3]", 2 + 2),
    ("ldrsb.w r0, [r1], #1; ldrh r3, [r2], #2; ldrbne r4, [r5]", 2 + 1 + 1),
    ("add r1, r2; ldr r0, [r1]", 1 + 3),  # an address that was only just computed
    ("add r1, r2; mov r3, r4; ldr r0, [r1]", 1 + 1 + 2),
    ("cmp r1, r2; ldr r0, [r1]", 1 + 2),
    ("smull r6, r1, r2, r3; str r0, [r1]", 1 + 2),
    ("ldrd r2, r3, [r0]; ldr r0, [r1]", 3 + 2),
    ("strd r2, r3, [r0, #8]", 3),
    ("ldmia.w r0!, {r1, r2, r4-r7}; ldr r8, [r9]", 7 + 2),
    ("push {r4, r5, r6, lr}; sub sp, #8; str r0, [sp]", 5 + 1 + 2),
    ("stmdb sp!, {r4, r5, r6, r7, r8, r9, sl, fp, lr}", 10),
    ("pop {r4, r5, pc}", 4),
    ("mul r0, r1, r2; mla r0, r1, r2, r3; smlad r0, r1, r2, r3; smull r0, r1, r2, r3; smlal r0, r1, r2, r3", 5),
    ("sdiv r0, r1, r2", 12),
    ("itt ne; addne r0, #1; movne r1, r2", 3),
    ("cbz r0, 8; bls.n 8; bl 8; tbb [pc, r0]", 1 + 1 + 1 + 2),
    ("vldr s0, [r0]; vldr d1, [r0, #8]; vmla.f32 s0, s1, s2", 2 + 3 + 3),
    ("vdiv.f32 s0, s1, s2; vadd.f32 s0, s1, s2", 14 + 1),
    ("vpush {d8-d9}; vmov r0, r1, d0; vmov s0, r0", 5 + 2 + 1),
]  # fmt: skip


def code(sequence, step=2):
    """The sequence as objdump prints it, from address 0 on."""
    lines = [line.strip().split(" ", 1) for line in sequence.split(";")]
    text = "\n".join(f"  {n * step:x}:\t{op}\t{' '.join(rest)}\t; note" for n, (op, *rest) in enumerate(lines))
    return cortex_m4.instructions_of(text)


@pytest.mark.parametrize(("sequence", "cycles"), COUNTED)
def test_a_sequence_takes_the_cycles_of_the_manual(sequence, cycles):
    assert cortex_m4.straight(code(sequence).values()) == cycles


def test_a_loop_takes_its_body_so_often_and_a_refill_for_each_branch_that_is_taken():
    loop = code("movs r0, #9; ldr r2, [r1]; subs r0, #1; bne.n 2; bx lr")
    blocks = [Block(0, 4, 1, 1), Block(2, 3, 8, 7), Block(8, 1, 1, 1)]
    assert cortex_m4.total_of(Executed(blocks, 5), loop) == 1 + 9 * (2 + 1 + 1) + 8 * 2 + (1 + 2) + 5


def test_another_number_of_instructions_than_the_clock_counted_is_refused(monkeypatch):
    monkeypatch.setattr(cortex_m4, "executed", lambda *_: Executed([Block(0, 1, 1_002_000, 0)], 0))
    monkeypatch.setattr(cortex_m4, "told", lambda *_: "  0:\tnop\t")
    firmware = Firmware(Path(), "infer", Path(), b"")
    build = Build(next(machine for machine in MACHINES if machine.name == cortex_m4.NAME), "gcc", "-O2")
    assert cortex_m4.modelled(firmware, build, 1_002_900) == 1_002_000
    with pytest.raises(MicrostageError, match="executed 1,002,000 instructions, and its clock counted 1,000,000"):
        cortex_m4.modelled(firmware, build, 1_000_000)
