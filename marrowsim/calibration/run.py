"""Running a calibration: the sweep over its priors, and the posterior that its targets leave."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from marrowsim.calibration.files import Calibration, load_calibration
from marrowsim.calibration.posterior import FEWEST, QUANTILES, Posterior, correlation, posterior, quantiles
from marrowsim.calibration.report import report_text
from marrowsim.errors import ExperimentError, Fault
from marrowsim.experiments.run import Progress
from marrowsim.storage.files import disk_errors, write_atomically
from marrowsim.sweeps.run import REPORT, SweepOutcome, sweep

POSTERIOR, ACCEPTED = "posterior.csv", "accepted.csv"


@dataclass(frozen=True)
class CalibrationOutcome:
    """A finished calibration.

    Attributes
    ----------
    sweep : the sweep over the priors, with its tables.
    posterior : weighted sample.
    """

    sweep: SweepOutcome
    posterior: Posterior

    @property
    def calibration(self) -> Calibration:
        """What the file says."""
        return self.sweep.sweep

    @property
    def reliable(self) -> bool:
        """Whether enough points have a part in the posterior."""
        return self.posterior.effective >= FEWEST

    @cached_property
    def values(self) -> np.ndarray:
        """Draws of the posterior in the unit of each parameter: shape (draws, parameters)."""
        columns = zip(self.calibration.parameter, self.posterior.place.T, strict=True)
        return np.array([[item.number(item.at(share)) for share in shares] for item, shares in columns]).T

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row a parameter: its prior and the quantiles of its posterior, as posterior.csv."""
        lines = []
        for item, values in zip(self.calibration.parameter, self.values.T, strict=True):
            found = quantiles(values, self.posterior.weight)
            lines.append((item.key, item.unit or "1", *item.ends, item.scale, *found))
        heads = ["parameter", "unit", "low", "high", "scale", *(f"{100 * share:g} %" for share in QUANTILES)]
        return pd.DataFrame(lines, columns=heads)

    @cached_property
    def correlation(self) -> pd.DataFrame:
        """Correlation of the parameters in the posterior, each in the scale of its prior."""
        keys = [item.key for item in self.calibration.parameter]
        logs = np.array([item.scale == "log" for item in self.calibration.parameter])
        values = np.where(logs, np.log(np.where(logs, self.values, 1.0)), self.values)
        return pd.DataFrame(correlation(values, self.posterior.weight), index=keys, columns=keys)

    @cached_property
    def accepted(self) -> pd.DataFrame:
        """The points that the posterior is made of, nearest first, with readouts and weights, as accepted.csv."""
        (kept,) = np.nonzero(self.posterior.of_point)
        kept = kept[np.argsort(self.posterior.distance[kept], kind="stable")]
        rows = [self.sweep.rows[index] for index in kept]
        columns = {"point": [row.number for row in rows]}
        for item in self.calibration.parameter:
            columns[item.title] = [item.shown(row.settings[item.key]) for row in rows]
        for item in self.calibration.readout:
            name = item.name + ("" if item.unit == "1" else f" ({item.unit})")
            columns[name] = self.sweep.means[item.name][kept]
        columns["distance"] = self.posterior.distance[kept]
        columns["weight"] = self.posterior.of_point[kept]
        return pd.DataFrame(columns)

    @cached_property
    def check(self) -> pd.DataFrame:
        """Posterior predictive check: a row a target, with quantiles of its readout in the points of the posterior."""
        lines = []
        (kept,) = np.nonzero(self.posterior.of_point)
        units = {item.name: item.unit for item in self.calibration.readout}
        for target in self.calibration.target:
            found = quantiles(self.sweep.means[target.readout][kept], self.posterior.of_point[kept])
            aim, sd = target.normal
            low, middle, high = found[0], found[len(found) // 2], found[-1]
            met = bool(low <= aim + sd and high >= aim - sd)
            lines.append((target.readout, units[target.readout], aim, sd, middle, low, high, met, target.source))
        heads = ["readout", "unit", "aim", "sd", "median", "low", "high", "met", "source"]
        return pd.DataFrame(lines, columns=heads)

    @cached_property
    def report(self) -> str:
        """The report as Markdown: the calibration, then its sweep."""
        below = self.sweep.report.replace("\n## ", "\n### ").replace(f"# {self.calibration.id}: ", "## The sweep: ", 1)
        return report_text(self) + "\n" + below


def calibrate(
    name: str | Path,
    *,
    output: str | Path | None = None,
    processes: int | None = None,
    scheduler: str | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> CalibrationOutcome:
    """Run what is missing of a calibration's points, and tell which values of its parameters meet the targets.

    >>> import marrowsim as ms
    >>> ms.calibrate("fusion-rate", output="calibrations/fusion-rate").table

    Parameters
    ----------
    name : a bundled calibration or a TOML file.
    output, processes, scheduler, threads, progress : see `marrowsim.sweep`.

    Raises
    ------
    ExperimentError
        A calibration that cannot be run, a folder of another one, or too few points with a result for a posterior.
    """
    source = load_calibration(name)
    item: Calibration = source.sweep
    outcome = sweep(
        source, output=output, processes=processes, scheduler=scheduler, threads=threads, progress=progress
    )  # fmt: skip
    place = np.array([row.place for row in outcome.rows])
    normals = {target.readout: target.normal for target in item.target}
    score = np.column_stack([(outcome.means[name] - aim) / sd for name, (aim, sd) in normals.items()])
    found = posterior(place, score, item.accept, item.seed)
    if found is None:
        whole = int(np.isfinite(score).all(axis=1).sum())
        given = f"{whole} points with a result, accept = {item.accept:g}"
        remedy = "give more samples (those that are done are kept), or a larger accept"
        raise ExperimentError(Fault("too few points for a posterior", given=given, remedy=remedy, where=source.where))
    result = CalibrationOutcome(outcome, found)
    if outcome.folder is not None:
        with disk_errors(outcome.folder):
            for file, table in ((POSTERIOR, result.table), (ACCEPTED, result.accepted)):
                write_atomically(outcome.folder / file, table.to_csv(index=False))
            write_atomically(outcome.folder / REPORT, result.report)
    return result
