"""Whatever a quantised network is made of: its streamlined integers are the integer reference's, always."""

from hypothesis import given, settings
from random_networks import networks

from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage_streamline.convert import convert_file
from microstage_streamline.prove import vectors
from microstage_streamline.prove.proof import Proof

OPERATORS = {
    "MatMul",
    "Conv",
    "XnorPopcountMatMul",
    "Im2Col",
    "MultiThreshold",
    "Add",
    "Mul",
    "MaxPoolNHWC",
    "Concat",
    "Flatten",
    "Reshape",
    "Transpose",
    "Split",
    "Identity",
}


class Recorder:
    """What a proof asks of a job."""

    def verified(self, boundary, compared, equal):
        assert compared == equal > 0


@settings(max_examples=100, deadline=None)
@given(networks())
def test_streamlined_integers_are_the_references(tmp_path_factory, net):
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    path.write_bytes(net.model().SerializeToString())
    part = convert_file(path)
    assert part.integer_graph.unresolved == [] and list(part.integer_graph.outputs) == ["y"]
    assert {node.op_type for node in part.model.graph.node} <= OPERATORS
    assert sum(node.op_type == "Conv" for node in part.model.graph.node) == len(part.laid.kept)

    proof, job = Proof(part, vectors.drawn(part.integer_graph, 24)), Recorder()
    recorded = proof.integers()
    proof.verified(job)
    assert (
        set(proof.compared)
        == {t for node in part.integer_graph.nodes for t in node.outputs if t in part.normal.values}
        - part.integer_graph.negated
    )
    record = [name for node in part.model.graph.node for name in node.output]
    found = Interpreter(part.model.model).run({name: recorded[name] for name in part.written.entered}, record)
    for name in record:
        kind, values = part.model.get_tensor_datatype(name), integers(found[name])
        assert kind.is_integer() and kind.allowed(int(values.min())) and kind.allowed(int(values.max())), name
    proof.executor(job, recorded)
