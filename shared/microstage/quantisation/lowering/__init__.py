"""Turn a calibrated graph of brevitas layers into integers: weights, biases and requantisers."""

from microstage.quantisation.lowering.lower import integers_of, lower

__all__ = ["integers_of", "lower"]
