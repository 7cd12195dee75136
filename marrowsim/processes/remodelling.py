"""Bone remodelling: resorption by osteoclasts, formation by osteoblasts."""

from __future__ import annotations

from typing import ClassVar

from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.state import State


class Remodelling(ShippedProcess):
    """Bone remodelling."""

    name: ClassVar[str] = "remodelling"
    reads: ClassVar[tuple[str, ...]] = ("cells", "fields", "tissue")
    writes: ClassVar[tuple[str, ...]] = ("cells", "occupant", "tissue")

    enabled: bool = False
    """whether bone is remodelled; without it bone stays as it is"""

    def update(self, state: State, clock: Clock) -> None:
        """Resorb and form bone."""
