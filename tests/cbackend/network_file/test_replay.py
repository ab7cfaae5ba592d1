"""The stage replays golden vectors through the interpreter, and publishes nothing where one integer differs."""

from dataclasses import replace

from networks import C, H, T

from microstage_cbackend import generate
from microstage_cbackend.network_file.reading.file import read_container
from microstage_cbackend.network_file.replay import replay
from microstage_cbackend.network_file.writing.network import WrittenFile, network_file, with_golden, written_file
from microstage_cbackend.program.memory import plan_memory


def with_other_weights(*arguments) -> WrittenFile:
    """The file, whose weights and thresholds are one off."""
    made = written_file(*arguments)
    file = read_container(made.data)
    file.sections["CONS"] = bytes(byte ^ 1 for byte in file.sections["CONS"])
    return WrittenFile(with_golden(file, file.sections["GOLD"]), made.spans)


def test_a_file_that_computes_other_integers_ends_the_stage(harmonic_source, run_stage, monkeypatch, capsys):
    monkeypatch.setattr(generate, "written_file", with_other_weights)
    code, out = run_stage(harmonic_source)
    said = capsys.readouterr().err
    assert code == 3 and "The interpreter differs from the reference in program infer of tiny: harmonics" in said
    assert not list(out.glob("*.msn")) and not list(out.glob("*.c"))


def test_parts_that_make_no_whole_are_replayed_each_a_cell_over_its_sequences(harmonic_file, tmp_path):
    model, plan, _ = harmonic_file
    alone = replace(model, recurrent=replace(model.recurrent, head=None))
    data = network_file(alone, {part.name: plan_memory(part) for part in model.parts})
    found = {r.boundary.removeprefix("interpreter."): r.compared for r in replay(data, alone, plan, tmp_path, None)}
    assert found == {"subcnn": 6 * T * C, "step": 6 * T * 2 * H, "submlp": 24}
