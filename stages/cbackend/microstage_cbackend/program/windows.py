"""Compute the geometry of a sliding window over one or two axes, always told to kernels as two."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from microstage.errors import ModelError

__all__ = ["Window"]


class Window:
    """Slide a window of `kernel` over `image`; raise `ModelError` beginning with `place` where it cannot."""

    def __init__(
        self,
        place: str,
        image: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        dilation: Sequence[int] | None = None,
        auto_pad: str = "NOTSET",
        ceil: int = 0,
    ) -> None:
        rank = len(kernel)
        if rank not in (1, 2) or len(image) != rank:
            raise ModelError(
                f"{place} slides a window of {list(kernel)} over {list(image)}; one and two axes can be made."
            )
        if ceil:
            raise ModelError(f"{place} rounds its size up (ceil_mode); pad the image instead.")
        self.image, self.kernel = list(image), list(kernel)
        self.stride, self.dilation = list(stride or [1] * rank), list(dilation or [1] * rank)
        self.before, self.after = self._pads(place, auto_pad, list(pads or [0] * 2 * rank), rank)
        self.padded = any(self.before + self.after)
        spans = [
            i + b + a - d * (k - 1) - 1
            for i, b, a, d, k in zip(image, self.before, self.after, self.dilation, self.kernel)
        ]
        self.output = tuple(span // s + 1 for span, s in zip(spans, self.stride))
        if min(self.output) < 1:
            raise ModelError(
                f"{place} slides a window of {list(kernel)} over {list(image)}, which leaves nothing; use a larger "
                "input."
            )

    def _pads(self, place: str, auto_pad: str, pads: list[int], rank: int) -> tuple[list[int], list[int]]:
        if auto_pad in ("NOTSET", ""):
            return pads[:rank], pads[rank:]
        if auto_pad == "VALID":
            return [0] * rank, [0] * rank
        if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
            raise ModelError(f"{place} pads by {auto_pad}; write the padding as explicit pads.")
        total = [
            max(0, (-(-i // s) - 1) * s + d * (k - 1) + 1 - i)
            for i, s, d, k in zip(self.image, self.stride, self.dilation, self.kernel)
        ]
        less, more = [t // 2 for t in total], [t - t // 2 for t in total]
        return (less, more) if auto_pad == "SAME_UPPER" else (more, less)

    @property
    def output2(self) -> tuple[int, int]:
        """Return (height, width) of the result; height is 1 for one axis."""
        return (self.output[0] if len(self.output) > 1 else 1), self.output[-1]

    @property
    def pointwise(self) -> bool:
        """Tell whether every position sees exactly its own pixel."""
        return prod(self.kernel) == 1 and prod(self.stride) == 1 and not self.padded

    @property
    def whole(self) -> bool:
        """Tell whether every window holds at least one position of the image."""
        return all(p < k for p, k in zip(self.before + self.after, self.kernel * 2))

    def sizes(self, dilated: bool) -> dict[str, Any]:
        """Return the members that the shape structs of the sliding kernels share."""
        names = ["height width", "out_height out_width", "kernel_h kernel_w", "stride_h stride_w"]
        values = [self.image, self.output, self.kernel, self.stride]
        if dilated:
            names, values = [*names, "dilation_h dilation_w"], [*values, self.dilation]
        sizes: dict[str, int] = {}
        for pair, value in zip(names, values):
            sizes |= dict(zip(pair.split(), [1, *value][-2:]))
        return sizes | dict(zip(("pad_top", "pad_left"), [0, *self.before][-2:]))
