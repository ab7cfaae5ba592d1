"""Turn a calibrated graph of brevitas layers into integers: weights, biases and requantisers."""

from microstage.quantisation.lowering.lower import lower

__all__ = ["lower"]
