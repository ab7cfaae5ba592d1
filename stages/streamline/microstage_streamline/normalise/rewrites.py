"""List every rewrite, in the order in which they are tried on a node."""

from __future__ import annotations

from microstage_streamline.normalise.axes import AxesAsInput, AxesFromFront, AxisFromFront, SliceInside
from microstage_streamline.normalise.branches import TakeBranch
from microstage_streamline.normalise.by_hand import IntegersAsReals, RepeatedWeights, ScaledWeights, ShiftedWeights
from microstage_streamline.normalise.choices import ChooseByProduct, WholeBranch
from microstage_streamline.normalise.elementwise import (
    BroadcastFirst,
    CommonStep,
    ComputedFirst,
    TwoAtATime,
    WholeFactor,
    WholeShift,
)
from microstage_streamline.normalise.moves import (
    BlocksAsAxes,
    ElementsAsGather,
    ExpandAsGather,
    GatherOfRow,
    NearestAsGather,
    PlainPad,
    TileAsGather,
)
from microstage_streamline.normalise.order import InOrder, LeastAsLargest, OrderOfLogits
from microstage_streamline.normalise.pools import GlobalMaxAsPool, PlainAverage, PlainMaxPool, QuantisedAverage
from microstage_streamline.normalise.products import ExplicitPads, LowerGemm, PadInConv, TakeOutBias, WholeWeights
from microstage_streamline.normalise.qoperator import (
    OfIntegers,
    OfOneTensor,
    OfTwoTensors,
    QuantisedConcat,
    QuantisedConv,
    QuantisedGemm,
    QuantisedWhere,
)
from microstage_streamline.normalise.quantised import (
    NoAbsurdQuantiser,
    NoBlocks,
    OneNorm,
    ReadTable,
    ScaleAlone,
    WholeLevels,
    ZeroPointApart,
)
from microstage_streamline.normalise.reductions import ReductionAsPool
from microstage_streamline.normalise.rewrite import Rewrite
from microstage_streamline.normalise.samples import KeepFirstAxis, RefuseMixedSamples
from microstage_streamline.normalise.shapes import (
    AxesOfSizeOne,
    DropAlias,
    DropNoCopy,
    FoldShape,
    KeepSamples,
    SizesAsInput,
)
from microstage_streamline.normalise.summed_scales import ShareStep
from microstage_streamline.normalise.turned import ConstantOnTheRight, TransposedConv
from microstage_streamline.normalise.volumes import PoolInTurns, VolumeAsImages

__all__ = ["REWRITES"]

_IN_ORDER: tuple[Rewrite, ...] = (
    # axes.py
    AxisFromFront(),
    AxesFromFront(),
    AxesAsInput(),
    SliceInside(),
    # branches.py
    TakeBranch(),
    # by_hand.py
    IntegersAsReals(),
    ScaledWeights(),
    ShiftedWeights(),
    RepeatedWeights(),
    # elementwise.py
    TwoAtATime(),
    ComputedFirst(),
    WholeShift(),
    CommonStep(),
    WholeFactor(),
    BroadcastFirst(),
    # choices.py
    WholeBranch(),
    ChooseByProduct(),
    # moves.py
    NearestAsGather(),
    TileAsGather(),
    ExpandAsGather(),
    BlocksAsAxes(),
    ElementsAsGather(),
    PlainPad(),
    GatherOfRow(),
    # order.py
    LeastAsLargest(),
    InOrder(),
    OrderOfLogits(),
    # pools.py
    PlainMaxPool(),
    PlainAverage(),
    GlobalMaxAsPool(),
    QuantisedAverage(),
    # products.py
    LowerGemm(),
    ExplicitPads(),
    PadInConv(),
    TakeOutBias(),
    WholeWeights(),
    # qoperator.py
    OfOneTensor(),
    OfTwoTensors(),
    QuantisedConv(),
    QuantisedGemm(),
    OfIntegers(),
    QuantisedConcat(),
    QuantisedWhere(),
    # quantised.py
    ScaleAlone(),
    NoAbsurdQuantiser(),
    ZeroPointApart(),
    NoBlocks(),
    WholeLevels(),
    ReadTable(),
    OneNorm(),
    # reductions.py
    ReductionAsPool(),
    # samples.py
    KeepFirstAxis(),
    RefuseMixedSamples(),
    # shapes.py
    DropAlias(),
    FoldShape(),
    DropNoCopy(),
    KeepSamples(),
    AxesOfSizeOne(),
    SizesAsInput(),
    # summed_scales.py
    ShareStep(),
    # turned.py
    ConstantOnTheRight(),
    TransposedConv(),
    # volumes.py
    VolumeAsImages(),
    PoolInTurns(),
)

REWRITES: dict[str, list[Rewrite]] = {
    operator: [rewrite for rewrite in _IN_ORDER if operator in rewrite.operators]
    for operator in sorted({name for rewrite in _IN_ORDER for name in rewrite.operators})
}
"By operator: those that are tried on it."
