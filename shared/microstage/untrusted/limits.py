"""How much of a file that a stranger wrote is read, held and computed: every cap, with its reason.

Sizes are checked where a file declares them, before anything of that size is made. Memory is capped as well, for what
no declaration tells, so that a stage that wants too much ends with one sentence and the machine goes on
(microstage.process.memory).
"""

from __future__ import annotations

__all__ = [
    "LONGEST_NAME",
    "MOST_AXES",
    "MOST_BITS",
    "MOST_COMPUTED",
    "MOST_LOOKED_AT",
    "MOST_NODES",
    "MOST_OCTETS",
    "MOST_STORED",
    "MOST_UNPACKED",
    "MOST_WORK",
]

MOST_BITS = 32
"Of one quantiser. Accumulators are proven in 53 bits; a product of wider factors would not fit."
MOST_AXES = 8
"Of an input, and of a tensor of a .tflite file; TensorFlow Lite's kernels know no more."
MOST_STORED = 1 << 27
"Values of one constant, stored or made of such. The largest layer of VGG-16 stores 2^26.6."
MOST_COMPUTED = 1 << 23
"Values of one tensor that is computed of one sample. A U-Net of 32 channels on 512 x 512 pixels has this many."
MOST_LOOKED_AT = 1 << 28
"Values that the windows of one convolution or pool hold in sum, of all samples that are run at once: all are laid out."
MOST_WORK = 1 << 35
"Multiplications for one sample. VGG-16 needs 2^34; a verification takes dozens of samples."
MOST_NODES = 1 << 13
"Of a network. EfficientNet-B7 between quantisers has half of this; each node is compared with another executor."
MOST_OCTETS = 1 << 30
"Of a network's file with its weights, or of a file of weights unpacked."
MOST_UNPACKED = 1 << 31
"Octets of golden vectors: 10,000 grey images of 224 x 224 pixels in float32 have less."
LONGEST_NAME = 1000
"Characters of a tensor's or a node's name: names become names of C and of files."
