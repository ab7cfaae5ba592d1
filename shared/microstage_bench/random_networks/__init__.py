"""Random quantised networks as files, with the answers of an executor that is none of ours.

    python -m microstage_bench.random_networks FOLDER SEED ...

writes <seed>.onnx and <seed>.npz (real `input0`, ... and `answer0`, in the file's order) of each seed, in streamline's
environment. `blocks` is what they are made of, `exact` why one level off is wrong, `recipe` how one is drawn and made
again.
"""

from microstage_bench.random_networks.recipe import RandomNetwork, Recipe, RecipeStep, build_network, draw_recipe

__all__ = ["RandomNetwork", "Recipe", "RecipeStep", "draw_recipe", "build_network"]
