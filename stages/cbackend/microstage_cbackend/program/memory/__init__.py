"""Where tensors and working memory of a part lie in the arena: which bytes are still needed, and a plan that is small.

orders   when a kernel reads and writes each byte, where its order is known
lives    from when to when each byte of a buffer is needed
fitting  a search for places whose lives do not meet
plan     the plan of a part
"""

from __future__ import annotations

from microstage_cbackend.program.memory.lives import Buffer
from microstage_cbackend.program.memory.plan import MemoryPlan, plan_memory

__all__ = ["Buffer", "MemoryPlan", "plan_memory"]
