"""The machine that figures were made on, and the memory that a process took at its peak."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
from pathlib import Path
from typing import Any

from marrowsim import provenance
from marrowsim.simulation import processors

PACKAGES = ("numpy", "scipy", "numba", "pyamg")
STATUS = Path("/proc/self/status")


def machine() -> dict[str, Any]:
    """Processor, caches, memory, software and date."""
    return {
        "date": provenance.now(),
        "processor": processor(),
        "cores": processors(),
        "caches": caches(),
        "memory (GiB)": memory(),
        **provenance.software(),
        "packages": {name: version for name in PACKAGES if (version := provenance.version(name))},
    }


def processor() -> str:
    """Model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines[:30])}
    names = [facts[key] for key in ("model name", "cpu family", "model") if key in facts]
    return f"{names[0]} (family {names[1]}, model {names[2]})" if len(names) == 3 else platform.machine()


def caches() -> dict[str, str]:
    """Sizes of the caches of the first core, by level and kind; empty where the system does not tell."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        found[f"L{level} {kind.lower()}"] = size
    return found


def memory() -> float | None:
    """Memory of the machine in GiB."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def load() -> list[float] | None:
    """Load averages over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None


class PeakMemory:
    """Growth of this process's resident memory since this was made; `None` where the system does not tell.

    Linux only. What the C library keeps of memory that was freed is given back first, so that it counts again.
    """

    def __init__(self) -> None:
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if STATUS.exists() else None
        if trim is not None:
            trim(0)
        self._start = self._reset()

    def grown(self) -> int | None:
        """Bytes that the peak since the last call (or the beginning) lies above the memory at the beginning."""
        if self._start is None:
            return None
        peak = _status("VmHWM")
        self._reset()
        return max(0, peak - self._start)

    @staticmethod
    def _reset() -> int | None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
            return _status("VmRSS")
        except OSError:
            return None


def _status(key: str) -> int:
    """A line of /proc/self/status that is in kB, in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{key}:"))
    return 1024 * int(line.split()[1])
