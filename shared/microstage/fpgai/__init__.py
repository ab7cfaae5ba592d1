"""FPGAI's files: what each layer of a quantised network is made of, as text, as bytes, or as torch saves it."""

from microstage.fpgai.binary import read_binary, write_binary
from microstage.fpgai.layer import QuantisedLayer
from microstage.fpgai.text import read_text, write_text

__all__ = ["QuantisedLayer", "read_binary", "read_text", "write_binary", "write_text"]
