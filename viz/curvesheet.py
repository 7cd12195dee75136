"""The readout curves as one picture for a page, and where in it a moment of the run is."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from marrowsim.viz import curves

WIDTH, HEIGHT = 3.6, 1.75  # inches, of one panel


@dataclass(frozen=True)
class Sheet:
    """The panels one under another.

    svg : the picture as a data URI, empty where there is nothing to draw; panels : left, top, width and height of
    the axes of each panel, as shares of the picture from its upper left corner; first, last : the times (h) at the
    ends of the axes.
    """

    svg: str = ""
    panels: tuple[tuple[float, float, float, float], ...] = ()
    first: float = 0.0
    last: float = 1.0

    def share(self, minutes: float) -> float:
        """Where a time is along the axes: 0 at their left end, 1 at their right."""
        return min(max((minutes / 60 - self.first) / (self.last - self.first), 0.0), 1.0)


def hours(readouts: pd.DataFrame) -> pd.Series | None:
    """The times of the rows in hours; None where the table has no column of time."""
    for column in readouts.columns:
        name, unit = curves.split_unit(str(column))
        if name.strip().lower() == "time" and unit in curves.HOURS:
            return readouts[column] * curves.HOURS[unit]
    return None


def sheet(readouts: pd.DataFrame) -> Sheet:
    """Draw the curves of a run; an empty sheet where the table has no time or fewer than two rows."""
    panels = curves.choose_panels(readouts)
    times = hours(readouts)
    if not panels or times is None:
        return Sheet()
    with mpl.rc_context({"svg.fonttype": "path", "font.family": "DejaVu Sans", "svg.hashsalt": "marrowsim"}):
        figure = Figure(figsize=(WIDTH, HEIGHT * len(panels)))
        FigureCanvasAgg(figure)
        every = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, panel in zip(every, panels, strict=True):
            curves.draw(axes, readouts, panel)
        figure.subplots_adjust(
            left=0.17, right=0.78, hspace=0.85, top=1 - 0.16 / len(panels), bottom=0.26 / len(panels)
        )
        file = BytesIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    places = (axes.get_position() for axes in every)
    return Sheet(
        "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode(),
        tuple(tuple(map(float, (place.x0, 1 - place.y1, place.width, place.height))) for place in places),
        float(times.iloc[0]),
        float(max(times.iloc[-1], times.iloc[0] + 1e-9)),
    )
