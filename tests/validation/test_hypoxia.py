"""Virtual cultures at a set oxygen: how much, and how fast, CXCL12 and CXCR4 follow it (targets B8 to B10).

Everything is measured as at the bench: CXCL12 in the medium of fibroblasts, CXCR4 of tumour cells, in the scenario
`culture` with oxygen held at a value or a course. docs/VALIDATION.md has the table.
"""

import numpy as np
import pytest

from marrowsim import Simulation

NORMOXIA, HYPOXIA = 160.0, 7.1
"""pO2 of cultures under 21 % and 1 % oxygen, mmHg."""
CXCR4, CXCL12 = "tumour CXCR4 mean (1)", "cxcl12 mean (nM)"
RESTING = {"cells.tumour.division_time": "never", "cells.tumour.death_rate": "0 /min"}


def course(*steps):
    """Oxygen by the hour from which it holds."""
    return [{"from": f"{hour} h", "value": f"{pressure} mmHg"} for hour, pressure in steps]


def culture(cell, oxygen, hours, **changes):
    """Readouts of a dish of one cell type; CXCL12 is what the cells make of it."""
    overrides = {
        "geometry.size": ["150 um"] * 3, "seeding": [{"cell": cell, "density": "10000 /mm^3"}],
        "fields.oxygen.held_at": oxygen, "fields.cxcl12.held_at": None, "output.readouts_every": "30 min",
        **RESTING, **changes,
    }  # fmt: skip
    simulation = Simulation.from_scenario("culture", seed=1, threads=1, overrides=overrides)
    simulation.run(days=hours / 24)
    return simulation.readouts.set_index("time (h)")


def at_rest(cell, pressure, readout, **changes):
    """A readout of a culture that has been at this pO2 for long."""
    return culture(cell, f"{pressure} mmHg", 0, **changes)[readout].iloc[-1]


def induced(cell, readout, hours, pressure=HYPOXIA, **changes):
    """Fold of a readout after some hours at a pO2, relative to the same dish in normoxia before."""
    found = culture(cell, course((0, NORMOXIA), (1, pressure)), 1 + hours, **changes)[readout]
    return found.loc[1.0 + hours] / found.loc[0.0]


def test_dose_response_of_the_cxcr4_level(record_property):
    """B8, Jiang 1996: half of the maximum at 11-15 mmHg, plateau from 3.8 mmHg down."""
    pressures = np.array([0.5, 3.8, 7.0, 11.0, 13.0, 15.0, 20.0, 38.0, NORMOXIA])
    levels = np.array([at_rest("tumour", pressure, CXCR4) for pressure in pressures])
    share = (levels - levels[-1]) / (levels[0] - levels[-1])
    half = np.interp(-0.5, -share, pressures)
    shown = ", ".join(f"{value:.2f} at {pressure:g}" for pressure, value in zip(pressures, share, strict=True))
    record_property("Hypoxia in culture", f"B8 half of the induction | 11-15 mmHg | {half:.1f} mmHg")
    record_property("Hypoxia in culture", f"B8 share of the induction (mmHg) | plateau from 3.8 | {shown}")
    assert 11 < half < 15
    assert share[1] > 0.95
    assert share[-2] < 0.05


def test_fibroblasts_secrete_more_cxcl12_after_a_day_of_hypoxia(record_property):
    """B9 and S1, Hitchon 2002: 2.3-fold (2.0-2.6) at 24 h; below 1.1 at 38 mmHg; half of it at half of the response."""
    fold = {pressure: induced("fibroblast", CXCL12, 24, pressure) for pressure in (38.0, 15.0, HYPOXIA, 3.0)}
    rest = at_rest("fibroblast", HYPOXIA, CXCL12) / at_rest("fibroblast", NORMOXIA, CXCL12)
    for pressure, value in fold.items():
        record_property("Hypoxia in culture", f"B9, S1 CXCL12 at 24 h, {pressure:g} mmHg | | {value:.2f}-fold")
    record_property("Hypoxia in culture", f"B9, S1 CXCL12 at rest, {HYPOXIA:g} mmHg | | {rest:.2f}-fold")
    assert 2.0 < fold[HYPOXIA] < 2.6
    assert fold[38.0] < 1.1
    assert fold[38.0] < fold[15.0] < fold[HYPOXIA] < fold[3.0]
    assert fold[HYPOXIA] < rest < 2.5


@pytest.mark.parametrize(
    "changes", [{"cells.fibroblast.hif": "absent"}, {"knockouts": ["hypoxia->CXCL12"]}, {"hypoxia.sensed": "160 mmHg"}]
)
def test_without_hif_hypoxia_leaves_cxcl12_as_it_is(record_property, changes):
    """HIF-null fibroblasts, the arrow knocked out, and all cells sensing normoxia: 1.00 +- 0.03."""
    fold = induced("fibroblast", CXCL12, 24, **changes)
    record_property("Hypoxia in culture", f"S1 CXCL12 at 24 h, {next(iter(changes))} | 1.00 | {fold:.3f}-fold")
    assert fold == pytest.approx(1.0, abs=0.003)


def test_constitutive_hif_needs_no_hypoxia():
    """VHL-null fibroblasts have the whole induction of 2.5 in normoxia."""
    level = at_rest("fibroblast", NORMOXIA, CXCL12, **{"cells.fibroblast.hif": "constitutive"})
    assert level / at_rest("fibroblast", NORMOXIA, CXCL12) == pytest.approx(2.5, rel=0.003)


def test_time_course_of_cxcr4(record_property):
    """B10 and S2, Fiegl 2009: visible by 10 h, more than 80 % by 24 h, back within hours of reoxygenation.

    In hypoxia from 1 h to 49 h; the level is 2-3 times that of normoxia, half of the rise after 6-12 h.
    """
    level = culture("tumour", course((0, NORMOXIA), (1, HYPOXIA), (49, NORMOXIA)), 73)[CXCR4]
    full = at_rest("tumour", HYPOXIA, CXCR4) / level[0.0] - 1
    rise = (level / level[0.0] - 1) / full
    up, down = rise.loc[1.0:49.0], rise.loc[49.0:]
    half = up.index[np.searchsorted(up, 0.5)] - 1
    back = down.index[np.argmax(down.to_numpy() < 0.1)] - 49
    for what, value in (
        ("level at rest | 2-3-fold", f"{1 + full:.2f}-fold"),
        ("induction at 10 h | visible", f"{rise[11.0]:.2f}"),
        ("induction at 24 h | > 0.80", f"{rise[25.0]:.2f}"),
        ("half of the induction | 6-12 h", f"{half:.1f} h"),
        ("below a tenth after reoxygenation | < 12 h", f"{back:.1f} h"),
    ):
        record_property("Hypoxia in culture", f"B10, S2 CXCR4, {what} | {value}")
    assert 2 < 1 + full < 3
    assert rise[11.0] > 0.3
    assert rise[25.0] > 0.8
    assert 6 <= half <= 12
    assert 0 < back < 12


@pytest.mark.parametrize(
    "changes", [{"cells.tumour.hif": "absent"}, {"knockouts": ["hypoxia->CXCR4"]}, {"hypoxia.sensed": "160 mmHg"}]
)
def test_without_hif_hypoxia_leaves_cxcr4_as_it_is(record_property, changes):
    fold = induced("tumour", CXCR4, 24, **changes)
    record_property("Hypoxia in culture", f"S2 CXCR4 at 24 h, {next(iter(changes))} | 1.00 | {fold:.3f}-fold")
    assert fold == pytest.approx(1.0, abs=0.003)


def test_knocking_out_one_arrow_leaves_the_other():
    """Without hypoxia->CXCR4 a tumour cell still makes VEGF of hypoxia, and the other way round."""
    vegf = "vegf mean (nM)"
    arms = {arrow: {"knockouts": [arrow]} for arrow in ("hypoxia->CXCR4", "hypoxia->VEGF")}
    folds = {arrow: [induced("tumour", what, 24, **arms[arrow]) for what in (CXCR4, vegf)] for arrow in arms}
    assert folds["hypoxia->CXCR4"][0] == pytest.approx(1.0, abs=0.003)
    assert folds["hypoxia->VEGF"][1] == pytest.approx(1.0, abs=0.003)
    assert folds["hypoxia->CXCR4"][1] > 3
    assert folds["hypoxia->VEGF"][0] > 2
