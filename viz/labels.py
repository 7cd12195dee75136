"""Words beside the things of a close-up, one of each kind, placed so that none hides another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patheffects import withStroke

from marrowsim.viz import palette
from marrowsim.viz.layers import Box

# Kind, status and what to write, the most telling first; the kind "niche" is a vacant niche place.
WORDS = (
    ("tumour", "bound", "tumour cell in a niche"),
    ("tumour", "arrested", "arrested in a vessel"),
    ("hpc", "bound", "HPC in a niche"),
    ("tumour", "free", "on the move"),
    ("osteoclast", "free", "osteoclast"),
    ("osteoblast", "free", "osteoblast"),
    ("niche", None, "vacant niche"),
    ("car", "free", "CAR cell"),
)

INK = "#111111"
FONT = 7.5

# Largest difference of two colours (of 255 a channel) that shading and a vessel wall in front make.
MOST_OFF = 130.0


def _candidates(frame, layers: Sequence[str], box: Box, kind: str, status: str | None) -> np.ndarray:
    """Points (n, 3) in um of one kind in a box."""
    if kind == "niche":
        table = frame.slots[~frame.slots["occupied"].to_numpy(bool)] if "niches" in layers else frame.slots[:0]
    elif kind in layers:
        table = frame.cells[(frame.cells["type"] == kind) & (frame.cells["status"] == status)]
    else:
        table = frame.cells[:0]
    return table.loc[box.holds(table, frame.spacing), ["x", "y", "z"]].to_numpy(float)


def _visible(view, points: np.ndarray, kind: str, status: str | None) -> np.ndarray:
    """Whether the picture has about the colour of a kind of cell where each point is, so nothing hides it."""
    if kind == "niche":
        return np.ones(len(points), bool)
    height, width = view.image.shape[:2]
    column, row = np.clip(view.project(points).astype(int).T, 0, [[width - 1], [height - 1]])
    colour = 255 * np.array(to_rgb(palette.cell_style(kind, status).colour))
    return np.linalg.norm(view.image[row, column, :3] - colour, axis=1) < MOST_OFF


def draw_labels(axes, view, frame, layers: Sequence[str], box: Box) -> list[str]:
    """Name one thing of each kind in a view; return what was written.

    Of the candidates the nearest to the eye is taken whose label fits into the axes, covers no other label
    and as few cells as can be; a kind that finds no place has no label.
    """
    height, width = view.image.shape[:2]
    figure = axes.figure
    pixel = axes.get_position().width * figure.get_figwidth() * 72 / width
    line, letter = 1.5 * FONT / pixel, 0.56 * FONT / pixel
    found = {(kind, status): _candidates(frame, layers, box, kind, status) for kind, status, _ in WORDS}
    away = np.cross(view.right, view.up)
    things = [view.project(points) for key, points in found.items() if len(points) and key[0] != "car"]
    marks = np.concatenate(things) if things else np.empty((0, 2))
    gap = 0.8 * frame.spacing / view.um_per_pixel
    placed, written = [], []
    for kind, status, words in WORDS:
        points = found[kind, status]
        best = None
        seen = points[_visible(view, points, kind, status)]
        for point in seen[np.argsort(-(seen @ away), kind="stable")][:40]:
            (x, y), long = view.project(point)[0], letter * len(words)
            beside = [(x + gap, y), (x - gap - long, y)]
            above = [(x - long / 2, y - gap - line / 2), (x - long / 2, y + gap + line / 2)]
            for left, height_at in beside + above:
                area = (left, height_at - line / 2, left + long, height_at + line / 2)
                inside = area[0] > 0 and area[2] < width and area[1] > 0 and area[3] < height
                clear = all(
                    area[2] < other[0] or other[2] < area[0] or area[3] < other[1] or other[3] < area[1]
                    for other in placed
                )
                if inside and clear:
                    covers = ((marks > np.array(area[:2]) - gap / 2) & (marks < np.array(area[2:]) + gap / 2)).all(1)
                    if best is None or covers.sum() < best[0]:
                        best = (covers.sum(), area, left)
        if best is None:
            continue
        _, area, left = best
        placed.append(area)
        written.append(words)
        axes.text(
            left,
            (area[1] + area[3]) / 2,
            words,
            fontsize=FONT,
            color=INK,
            va="center_baseline",
            path_effects=[withStroke(linewidth=2.2, foreground="white")],
        )
    return written
