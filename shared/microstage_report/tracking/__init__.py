"""Runs as other programs show them: event files of TensorBoard, and a tracking server of MLflow.

Each module is run by itself, with a JSON file of runs: [{"id", "parameters", "figures": {name: number}, "curves":
[{"epoch", "figure", "value"}]}]. TensorBoard's needs the environment of the report; MLflow's has one of its own.
"""
