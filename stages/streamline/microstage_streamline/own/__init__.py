"""A network of one's own: `make streamline ONNX=model.onnx`, from a file of any exporter to an integer graph and a report."""
