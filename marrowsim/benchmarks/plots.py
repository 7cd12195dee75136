"""Plots of the results: time to an error beside peers, and cost against size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from marrowsim.benchmarks.report import LENGTH, number, series

COLOURS = {5: "#9ecae1", 10: "#08519c"}


def plot(results: dict[str, Any], path: Path) -> None:
    """Write the picture (PNG): peers, cost per voxel and cost per cell."""
    figure = Figure(figsize=(15, 4.6), layout="constrained")
    peers, voxels, cells = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
    _peers(peers, results["rows"])
    found = series(results["rows"])
    _growth(voxels, {name: points for name, points in found.items() if name.endswith("per voxel")}, "ns per voxel")
    _growth(
        cells,
        {name: points for name, points in found.items() if name.endswith("per mover")},
        "ns per mover and sub-step",
    )
    figure.savefig(path, dpi=110)


def _peers(axes, rows: list[dict]) -> None:
    """Bars of the time per voxel to an error of 1e-3, for both decay lengths."""
    size = next((row["size"] for row in rows if row["group"] == "peer"), None)
    cold = [row for row in rows if row["group"] == "field" and row["name"] == "cold" and row["size"] == size]
    first = cold[0]["threads"] if cold else None
    shown = [(row, "marrowsim") for row in cold if row["threads"] == first]
    shown += [(row, _kind(row["name"])) for row in rows if row["group"] == "peer"]
    kinds = list(dict.fromkeys(kind for _, kind in shown))
    lengths = sorted({row["values"][LENGTH] for row, _ in shown})
    height = 0.8 / max(1, len(lengths))
    for place, length in enumerate(lengths):
        bars = [(kinds.index(kind), row["ns per voxel"]) for row, kind in shown if row["values"][LENGTH] == length]
        drawn = axes.barh(
            [line + (place - (len(lengths) - 1) / 2) * height for line, _ in bars],
            [value for _, value in bars],
            height=0.9 * height, color=COLOURS.get(length), label=f"decay length {length} voxels",
        )  # fmt: skip
        axes.bar_label(drawn, [number(value) for _, value in bars], padding=3, fontsize=8)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.2)
    axes.set_xlabel("ns per voxel to a relative error of 1e-3, one thread")
    axes.set_title(f"Steady field, ${size}^3$ voxels, 20 % solid", fontsize=10)
    axes.legend(fontsize=8, loc="upper right")


def _kind(name: str) -> str:
    """The peer, whichever of its variants was the fastest."""
    return next(kind for kind in ("scipy cg", "pyamg", "numba explicit step") if name.startswith(kind))


def _growth(axes, found: dict[str, list[tuple[int, float]]], unit: str) -> None:
    """Lines of a cost against the edge of the lattice."""
    sizes = sorted({size for points in found.values() for size, _ in points})
    for name, points in found.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name.rpartition(", ")[0])
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"${size}^3$" for size in sizes])
    axes.minorticks_off()
    axes.set_xmargin(0.1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("voxels")
    axes.set_title(f"Cost against size: {unit}", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
