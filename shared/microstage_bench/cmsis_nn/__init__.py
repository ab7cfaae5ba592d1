"""A .tflite network as C that calls Arm's CMSIS-NN, to be measured as ours is. The library itself is the user's."""
