"""What networks are quantised for: one JSON file each."""

from microstage.quantisation.targets.target import AS_DIANA, Activations, LayerRules, Target, Weights, target_names

__all__ = ["AS_DIANA", "Activations", "LayerRules", "Target", "Weights", "target_names"]
