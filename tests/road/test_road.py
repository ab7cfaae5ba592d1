"""The users' road: 12 random networks become C, and it answers what onnxruntime or qonnx answer to the files, to the
last bit."""

from doors import made, volumes


def test_the_c_of_random_networks_answers_what_an_independent_executor_answers_to_the_files(tmp_path):
    done = made("prove", "RANDOM=12", "DEPTH=10", f"VOLUMES={volumes(tmp_path)}")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.splitlines()[-1].startswith("12 networks of ") and done.stdout.endswith("; 0 of them failed\n")
