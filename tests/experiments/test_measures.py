"""Measures on constructed states."""

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim.experiments.measures import MEASURES
from marrowsim.experiments.watch import Watch
from marrowsim.state import Status

SHAPE = (8, 8, 8)
TYPES = {
    "walker": {"label": "walker", "motility": "1000 um^2/h", "cxcr4": 1.0, "niche_affinity": 1.0},
    "post": {"label": "post"},
}


class Finished:
    """What a watch sees of a simulation."""

    def __init__(self, state, rows=()):
        self.state, self.config, self.rows = state, state.config, rows


def at(*places):
    return np.array([np.ravel_multi_index(place, SHAPE) for place in places], dtype=np.int64)


@pytest.fixture
def watched(make_state):
    """A function that builds a watch at step 0: walkers, posts, other arguments of `make_state`."""

    def build(walkers=(), posts=(), follows=(), **more):
        cells = {"walker": at(*walkers), "post": at(*posts)}
        state = make_state(
            SHAPE, cells={name: sites for name, sites in cells.items() if len(sites)}, types=TYPES, **more
        )
        watch = Watch({}, follows)
        watch.write(Finished(state))
        return watch

    return build


def take(name, watch, **options):
    known = MEASURES[name]
    parsed = known.options.model_validate(options)
    return known.function(watch, **{key: getattr(parsed, key) for key in known.options.model_fields})


def move(watch, row, place):
    """Put the cell of a row elsewhere."""
    state = watch.state
    state.occupant.reshape(-1)[state.cells.site[row]] = -1
    state.cells.site[row] = at(place)[0]
    state.occupant.reshape(-1)[state.cells.site[row]] = row


def test_every_measure_says_what_it_is():
    assert all(known.meaning.endswith(".") or known.meaning for known in MEASURES.values())
    assert len(MEASURES) > 15


def test_column(watched):
    watch = watched()
    watch.simulation.rows = tuple({"time (h)": 24.0 * day, "cells": 5 + 2 * day - (day == 2) * 20} for day in range(4))
    watch.simulation.rows = tuple({"time (h)": 24.0 * day, "cells": value} for day, value in enumerate([5, 9, 1, 11]))
    expected = {"last": 11, "maximum": 11, "minimum": 1, "mean": 6.5, "slope": 1.0, "fold": 2.2}
    assert {how: take("column", watch, column="cells", take=how) for how in expected} == pytest.approx(expected)
    late = {"last": 11, "maximum": 11, "minimum": 1, "mean": 6.0, "slope": 10.0, "fold": 11.0}
    found = {how: take("column", watch, column="cells", take=how, over="1 d") for how in late}
    assert found == pytest.approx(late)
    assert np.isnan(take("column", watch, column="other"))


def test_shares_and_rates_of_events(watched):
    watch = watched(walkers=[(0, 0, 0), (4, 4, 4)], follows={"exposure"}, overrides={"time.step": "60 min"})
    watch.state.tallies = {"born:walker": 3, "injected:walker": 12}
    assert take("share of events", watch, of="born:walker", to="injected:walker") == 0.25
    assert np.isnan(take("share of events", watch, of="born:walker", to="arrested:walker"))
    assert np.isnan(take("event rate", watch, cell="walker", event="born"))
    for _ in range(12):
        watch.state.step += 1
        watch.write(watch.simulation)
    assert take("event rate", watch, cell="walker", event="born") == pytest.approx(3 / (2 * 0.5))
    assert take("event rate", watch, cell="walker", event="died") == 0


def test_cells_by_tissue_and_in_blood(watched):
    tissue = np.full(SHAPE, tissues.MARROW, np.uint8)
    tissue[4:] = tissues.SOFT
    watch = watched(walkers=[(0, 0, 0), (1, 0, 0), (5, 0, 0)], tissue=tissue)
    watch.state.add_cells(watch.state.config.code("walker"), np.full(4, -1), np.ones(4), Status.CIRCULATING)
    found = [take("cells", watch, cell="walker", tissue=name) for name in ("any", "marrow", "soft_tissue")]
    assert found == [3, 2, 1]
    assert take("circulating cells", watch, cell="walker") == 4


def test_cxcr4_by_oxygen(watched):
    watch = watched(walkers=[(0, 0, 0), (0, 0, 1), (0, 0, 2)])
    state = watch.state
    state.cells.cxcr4[:] = [3.0, 2.0, 1.0]
    state.fields["oxygen"].reshape(-1)[state.cells.site] = [2.0, 10.0, 40.0]
    assert take("cxcr4", watch, cell="walker") == 2.0
    assert take("cxcr4", watch, cell="walker", oxygen_below="7 mmHg") == 3.0
    assert take("cxcr4", watch, cell="walker", oxygen_above="10 mmHg") == 1.5
    assert take("cxcr4", watch, cell="walker", inherited=True) == 1.0
    assert np.isnan(take("cxcr4", watch, cell="post"))
    assert take("correlation of cxcr4 and oxygen", watch, cell="walker") == pytest.approx(-1.0)
    assert np.isnan(take("correlation of cxcr4 and oxygen", watch, cell="post"))
    state.cells.constitutive[:] = [3.0, 1.0, 0.0]
    found = take("correlation of cxcr4 and oxygen", watch, cell="walker", over_inherited=True)
    assert found == pytest.approx(-0.5)


def test_displacement_depth_and_detachment(watched):
    block = [(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    watch = watched(walkers=block)
    for name in ("mean squared displacement", "invasion depth", "detached cells"):
        assert take(name, watch, cell="walker") == 0
    move(watch, 0, (0, 0, 5))
    assert take("mean squared displacement", watch, cell="walker") == pytest.approx(50.0**2 / 8)
    assert take("detached cells", watch, cell="walker") == 1
    assert take("invasion depth", watch, cell="walker", share=1.0) == pytest.approx(35.0)
    move(watch, 0, (2, 2, 2))
    assert take("detached cells", watch, cell="walker") == 0


def test_daughters_have_no_displacement(watched):
    watch = watched(walkers=[(0, 0, 0)])
    watch.state.add_cells(watch.state.config.code("walker"), at((0, 0, 7)), np.ones(1))
    move(watch, 0, (0, 0, 2))
    assert take("mean squared displacement", watch, cell="walker") == 400.0


def test_time_to_a_slot(watched):
    slots = at((0, 0, 4))
    watch = watched(walkers=[(0, 0, 3), (0, 0, 0), (7, 7, 7)], slots=slots, follows={"contacts"})
    assert watch.contacts.tolist() == [0.0, np.inf, np.inf]
    watch.state.step = 120
    move(watch, 1, (0, 1, 4))
    watch.write(watch.simulation)
    watch.state.step = 600
    move(watch, 1, (7, 0, 0))
    watch.write(watch.simulation)
    assert watch.contacts.tolist() == [0.0, 120.0, np.inf]
    assert take("time to a niche slot", watch, cell="walker") == 2.0
    assert take("time to a niche slot", watch, cell="walker", share=1.0) == 10.0
    assert take("share that met a niche slot", watch, cell="walker") == pytest.approx(2 / 3)


def test_neighbourhood(watched):
    tissue = np.full(SHAPE, tissues.MARROW, np.uint8)
    tissue[:, :, 7] = tissues.SINUSOID
    watch = watched(walkers=[(0, 0, 6), (0, 0, 1)], posts=[(0, 0, 0)], tissue=tissue)
    assert take("share near", watch, cell="walker", near=["sinusoid"], within="5 um") == 0.5
    assert take("share near", watch, cell="walker", near=["sinusoid", "post"], within="5 um") == 1.0
    open_ = 8 * 8 * 7 - 1
    assert take("enrichment near", watch, cell="walker", near=["sinusoid"], within="5 um") == pytest.approx(
        0.5 * open_ / 64
    )
    assert np.isnan(take("share near", watch, cell="post", near=["sinusoid"]) - np.nan)


def test_arrests_near(watched):
    tissue = np.full(SHAPE, tissues.MARROW, np.uint8)
    tissue[:, :, 4] = tissues.SINUSOID
    types = {**TYPES, "other": {"label": "other"}}
    watch = watched(posts=[(0, 0, 5)], tissue=tissue, follows={"arrivals"}, overrides={"cells": types})
    watch.state.add_cells(watch.state.config.code("other"), at((7, 0, 5)), np.ones(1))
    assert np.isnan(take("arrests near", watch, near=["post"], rather_than=["other"]))
    watch.state.add_cells(
        watch.state.config.code("walker"), at((0, 0, 4), (1, 0, 4), (7, 0, 4)), np.ones(3), Status.ARRESTED
    )
    watch.state.step = 1
    watch.write(watch.simulation)
    assert take("arrests near", watch, near=["post"], rather_than=["other"]) == pytest.approx(2 / 3)


def test_fields_and_vessels(watched):
    tissue = np.full(SHAPE, tissues.MARROW, np.uint8)
    tissue[:, :, 6:] = tissues.SINUSOID
    tissue[7] = tissues.BONE
    watch = watched(walkers=[(0, 0, 0)], tissue=tissue)
    state = watch.state
    state.fields["oxygen"][...] = 20.0
    state.fields["oxygen"][:, :, :2] = 5.0
    state.fields["cxcl12"][...] = 1.0
    state.fields["cxcl12"][:, :, :2] = 3.0
    assert take("field", watch, field="cxcl12", oxygen_below="7 mmHg") == 3.0
    assert take("field", watch, field="cxcl12") == pytest.approx((2 * 3 + 4) / 6)
    assert np.isnan(take("field", watch, field="cxcl12", tissue="soft_tissue"))
    assert take("field contrast by oxygen", watch, field="cxcl12", low="7 mmHg", high="15 mmHg") == 3.0
    assert np.isnan(take("field contrast by oxygen", watch, field="cxcl12", low="1 mmHg", high="15 mmHg"))
    assert take("field percentile", watch, field="oxygen", percent=10) == 5.0
    assert take("field percentile", watch, field="oxygen", percent=90) == 20.0
    assert take("field percentile", watch, field="oxygen", percent=90, around="walker") == 5.0
    assert take("vessel density", watch) == pytest.approx(2 / 8)
    assert take("vessel density", watch, around="walker", within="20 um") == 0.0


def test_measures_are_taken_when_they_are_due(watched):
    watch = watched()
    watch.due = {"early": (1, lambda seen: seen.state.step), "late": (3, lambda seen: 10 * seen.state.step)}
    for _ in range(3):
        watch.state.step += 1
        watch.write(watch.simulation)
    assert watch.values == {"early": 1.0, "late": 30.0}
