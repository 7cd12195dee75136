"""Memory that runs may take: of the machine, and of the control groups that this process is in."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import psutil

CGROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
MEMORY_FILES = {
    "1": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    "2": ("", "memory.max", "memory.current", "inactive_file"),
}
"""Version of control groups to the folder of their memory, and there limit, use, and in memory.stat files in cache."""


def available_memory() -> float:
    """Bytes that new processes may take: what the machine has available, or the rest of this process's control groups.

    Files that a group has cached and not used of late count as available, as they do for the machine.
    """
    free = float(psutil.virtual_memory().available)
    with contextlib.suppress(OSError):
        for line in OWN_GROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if "memory" not in (controllers or "memory").split(","):
                continue
            top, *files = MEMORY_FILES["1" if controllers else "2"]
            own = CGROUPS / top / path.lstrip("/")
            while own.is_relative_to(CGROUPS):
                free = min(free, _room(own, *files))
                own = own.parent
    return free


def _room(group: Path, limit: str, used: str, cached: str) -> float:
    """Bytes that a control group may still take, by the names of its files; infinite where it has no limit."""
    with contextlib.suppress(OSError, ValueError):
        most, now = (float((group / name).read_text()) for name in (limit, used))
        counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return most - now + float(counts.get(cached, 0))
    return math.inf
