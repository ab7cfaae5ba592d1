"""From a trained float network to integers, without training anew. Needs torch and brevitas."""

from microstage.quantisation.aligning import aligned
from microstage.quantisation.network import QuantisedNetwork, quantize
from microstage.quantisation.post_training import post_training
from microstage.quantisation.preparing import PreparedNetwork, prepare
from microstage.quantisation.targets import Target

__all__ = ["PreparedNetwork", "QuantisedNetwork", "Target", "aligned", "post_training", "prepare", "quantize"]
