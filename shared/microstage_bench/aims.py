"""What the generated C is meant to reach: the ratio of a rival's median to ours, per network; sizes beside the .tflite
file."""

from __future__ import annotations

from hashlib import sha256

from microstage_bench.names import BEFORE

__all__ = [
    "AIMS",
    "CONSTANTS",
    "CYCLES",
    "FASTEST",
    "FLASH",
    "FLASH_OF_8_BITS",
    "INSTRUCTIONS",
    "PUBLISHED",
    "aim",
    "published",
]

FASTEST = "fastest"  # of our variants, whichever that is in the run
CONSTANTS = 1.05
"The most that the constants of the C may take of the .tflite file's size."
_NOT_SLOWER = 0.95
"An earlier version's median over ours: what the noise of one run leaves."

INSTRUCTIONS = {
    "cortex-m4": {
        "drawn-resnet8": 12_500_000,
        "drawn-ds-cnn": 3_200_000,
        "drawn-mobilenet": 9_500_000,
        "drawn-autoencoder": 270_000,
        "drawn-kws-w3a3": 300_000,
        "drawn-cnv-binary": 29_000_000,
    },
    "cortex-m55": {
        "drawn-resnet8": 4_800_000,
        "drawn-ds-cnn": 1_750_000,
        "drawn-mobilenet": 6_300_000,
        "drawn-autoencoder": 145_000,
    },
}
"The most of one inference in a firmware at -O2, by machine."
CYCLES = {
    "drawn-resnet8": 17_500_000,
    "drawn-ds-cnn": 4_400_000,
    "drawn-mobilenet": 13_000_000,
    "drawn-autoencoder": 390_000,
}
"The most of one inference on a Cortex-M4 at -O2, modelled, zero wait states."
FLASH = {"drawn-autoencoder": 279_200}
"The most bytes on a Cortex-M4 at -Os."
FLASH_OF_8_BITS = {4: 0.52, 1: 0.15}
"The most flash of one network by the bits of its weights, over that of 8 bits."

PUBLISHED = {
    "3c002613d1b2475eb51dd78dfb85a546c8ae658dee71cf6ade43b022fe205415": "MLPerf Tiny's ResNet8",
    "aeea436800704fce17b17292e4412630ad856e9d777c044c64ef748a880bd0ae": "MLPerf Tiny's DS-CNN",
    "597a384c8c2c8a1276f04702f25013b7838f2f814f1ca7c174d295b73e3d6b7b": "MLPerf Tiny's MobileNetV1",
    "87cf24194ef93d1d9b11a591d805526b98008e351655d29883c825c9c106ba24": "MLPerf Tiny's autoencoder",
}
"SHA-256 of the .tflite files of github.com/mlcommons/tiny (benchmark/training/*/trained_models)."

# (our variant, rival): {network: how many times faster}; a rival's best form counts
AIMS: dict[tuple[str, str], dict[str, float]] = {
    ("C99", "tflm"): {"drawn-resnet8": 38, "drawn-ds-cnn": 28, "drawn-mobilenet": 13, "drawn-autoencoder": 16},
    ("C99 -mavx2", "tflm"): {"drawn-resnet8": 9},
    (FASTEST, "onnxruntime"): {
        "drawn-resnet8": 1.5,
        "drawn-ds-cnn": 1.7,
        "drawn-mobilenet": 2,
        "drawn-autoencoder": 6,
        "drawn-kws-w3a3": 5,
        "drawn-cnv-binary": 5,
        "kws-w3a3": 12.5,
        "cnv-1w1a": 7.1,
        "harmonic": 6.1,
    },
    (FASTEST, "litert"): {
        "drawn-resnet8": 1.0,
        "drawn-ds-cnn": 1.3,
        "drawn-mobilenet": 1.3,
        "drawn-autoencoder": 1.2,
        "MLPerf Tiny's ResNet8": 1.15,
        "MLPerf Tiny's DS-CNN": 2.0,
        "MLPerf Tiny's autoencoder": 1.15,
    },
}
_ANY_TRAINED = {(FASTEST, "litert"): 1.0}
"Of a network with a .tflite file that is not named above."


def published(tflite: bytes) -> str:
    """Tell which published network a .tflite file is; empty for any other."""
    return PUBLISHED.get(sha256(tflite).hexdigest(), "")


def aim(variant: str, fastest: bool, rival: str, network: str) -> float | None:
    """Return the larger of what is aimed at for `variant` and, where it is our fastest, for that; None where nothing
    is.
    """
    if rival.startswith(BEFORE):
        return _NOT_SLOWER
    keys = [(variant, rival), (FASTEST, rival)] if fastest else [(variant, rival)]
    found = [AIMS.get(key, {}).get(network, _ANY_TRAINED.get(key)) for key in keys]
    return max((value for value in found if value is not None), default=None)
