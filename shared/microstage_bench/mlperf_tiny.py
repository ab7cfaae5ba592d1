"""The four network shapes of MLPerf Tiny, with drawn weights: no softmax, which every runtime would do in floats
anyway."""

from __future__ import annotations

from microstage_bench.drawn_networks import Drawing
from microstage_bench.network import DrawnNetwork, Quantity

__all__ = ["autoencoder", "ds_cnn", "mobilenet", "resnet8"]

_IMAGE = Quantity(1 / 128, 0)


def resnet8() -> DrawnNetwork:
    """Draw image classification: 3 x 32 x 32 -> 10, three residual blocks of 16, 32 and 64 channels."""
    d = Drawing("drawn-resnet8", (3, 32, 32), _IMAGE, seed=1)
    d.conv(16, 3)
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        entry = d.latest
        d.conv(channels, 3, stride)
        main = d.conv(channels, 3, relu=False)
        side = entry if stride == 1 else d.conv(channels, 1, stride, relu=False, source=entry)
        d.add(side, main)
    d.average()
    d.flatten()
    d.dense(10, relu=False)
    return d.network()


def ds_cnn() -> DrawnNetwork:
    """Draw keyword spotting: 1 x 49 x 10 features -> 12, four depthwise separable layers of 64 channels."""
    d = Drawing("drawn-ds-cnn", (1, 49, 10), _IMAGE, seed=2)
    d.conv(64, (10, 4), 2)
    for _ in range(4):
        d.depthwise(3)
        d.conv(64, 1)
    d.average()
    d.flatten()
    d.dense(12, relu=False)
    return d.network()


def mobilenet(name: str = "drawn-mobilenet", alive: int = 1) -> DrawnNetwork:
    """Draw visual wake words: MobileNetV1 of width 0.25, 3 x 96 x 96 -> 2; one of `alive` channels is."""
    d = Drawing(name, (3, 96, 96), _IMAGE, seed=3, alive=alive)
    d.conv(8, 3, 2)
    for channels, stride in (
        (16, 1),
        (32, 2),
        (32, 1),
        (64, 2),
        (64, 1),
        (128, 2),
        *[(128, 1)] * 5,
        (256, 2),
        (256, 1),
    ):
        d.depthwise(3, stride)
        d.conv(channels, 1)
    d.average()
    d.flatten()
    d.dense(2, relu=False)
    return d.network()


def autoencoder() -> DrawnNetwork:
    """Draw anomaly detection: 640 -> 4 x 128 -> 8 -> 4 x 128 -> 640, dense."""
    d = Drawing("drawn-autoencoder", (640,), _IMAGE, seed=4)
    for features in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        d.dense(features)
    d.dense(640, relu=False)
    return d.network()
