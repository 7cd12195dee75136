"""The column beside a view: what it shows, with numbers, scales and directions, as a picture (matplotlib)."""

from __future__ import annotations

from textwrap import wrap

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from marrowsim.viz.figure import time_stamp
from marrowsim.viz.layers import whole
from marrowsim.viz.panels import INK, draw_legend, draw_orientation, draw_scale_bar
from marrowsim.viz.viewer import DPI, LEGEND_WIDTH, draw_scale

# Pixels: a line of text, the parts of the column from its foot, and its margin.
LINE = 17
RULER, BAR, MARGIN = 90, 80, 14

# Letters that go into a line.
LETTERS = 58


def column(viewer, height: int, keys: list[str]) -> np.ndarray:
    """A picture (height, LEGEND_WIDTH, 3) of title, time, legend, colour scale, notes, picked values and scale bar.

    Parameters
    ----------
    viewer : whose view it stands beside; its scale bar has the length that it has in the view's pixels.
    height : pixels.
    keys : lines that say what can be done.
    """
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(LEGEND_WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        place = _Place(figure, height)
        words = {"fontsize": 8, "color": INK, "va": "top"}
        for line in wrap(viewer.title, 42):
            place.write(line, height - place.top, fontsize=10.5, fontweight="bold", color=INK, va="top")
            place.top += LINE + 2
        place.write(time_stamp(viewer.frame.time), height - place.top, fontsize=10.5, color=INK, va="top")
        place.top += 2 * LINE
        rows = [f"{row['name']}: {row['value']}" for row in viewer.picked()]
        notes = [line for note in viewer.stage.notes for line in wrap(note, LETTERS)]
        foot = 8 + LINE * len(keys)
        for number, line in enumerate(keys):
            place.write(line, foot - LINE * number, **words | {"color": "#666666"})
        axes = place.axes(foot + 10, RULER - 20)
        axes.set(xlim=(0, LEGEND_WIDTH - 2 * MARGIN), ylim=(0, RULER - 20))
        axes.set_axis_off()
        draw_scale_bar(axes, viewer.stage.eye.um_per_pixel, share=0.4)
        draw_orientation(axes, *viewer.directions(), at=(0.7, 0.3))
        foot += RULER
        for line in reversed(notes + [""] * bool(rows) + rows):
            foot += LINE
            place.write(line, foot, **words)
        if viewer.stage.bar is not None:
            draw_scale(place.axes(foot + 35, 12), viewer.stage.bar)
            foot += BAR
        partial = viewer.stage.box != whole(viewer.frame)
        draw_legend(place.axes(foot, max(height - place.top - foot, 40)), viewer.stage.legend, partial)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


class _Place:
    """Where things go in the column, in pixels from its foot; `top` is what was written from above."""

    def __init__(self, figure: Figure, height: int):
        self.figure, self.height, self.top = figure, height, MARGIN

    def write(self, text: str, foot: float, **look) -> None:
        self.figure.text(MARGIN / LEGEND_WIDTH, foot / self.height, text, **look)

    def axes(self, foot: float, height: float):
        left = MARGIN / LEGEND_WIDTH
        return self.figure.add_axes((left, foot / self.height, 1 - 2 * left, height / self.height))
