"""The whole process of remodelling in small boxes: every voxel of bone and every bone cell is accounted for."""

import numpy as np
import pytest

from marrowsim import Simulation, tissues
from marrowsim.config import load_config
from marrowsim.estimate import estimate
from marrowsim.geometry.build import Geometry
from marrowsim.processes import PROCESSES
from marrowsim.processes.cavities import Cavities
from marrowsim.seeding import seeded_state

SHAPE = (20, 26, 26)
FAST = {
    "enabled": True, "osteoclast_density": "400 /mm^2", "resorption_rate": "60000 um^3/d", "fusion_rate": "10 /d",
    "fusion_partners": 1, "osteoclast_life": "2 d", "reversal_time": "5 h", "recruitment_rate": "8 /d",
    "apposition_rate": "20 um/d", "trapped_share": 0.2, "lining_share": 0.5,
}  # fmt: skip
SCENARIO = {
    "time": {"step": "30 min", "duration": "4 d"},
    "geometry": {"kind": "dish", "size": ["260 um", "260 um", "200 um"]},
    "vessels": {"source": "none"},
    "fields": {
        "oxygen": {"held_at": "50 mmHg"}, "cxcl12": {"held_at": "1 nM"}, "vegf": {"held_at": "0 nM"},
        "rankl": {"held_at": 1.0},
    },
    "cells": {
        "tumour": {"death_rate": "0.5 /d", "dormancy": "0 h"},
        "ocp": {"renewal": "20000 /(mm^3 d)", "death_rate": "1 /d"},
        "osteoblast": {"death_rate": "0.3 /d"},
    },
    "processes": {"remodelling": FAST, "angiogenesis": {"enabled": False}, "niche": {"enabled": False}},
}  # fmt: skip
BONE_CELLS = {
    "ocp": (("arose",), ("fused", "spent in fusion", "died", "necrosed")),
    "osteoclast": (("fused:ocp",), ("died", "necrosed")),
    "osteoblast": (("recruited",), ("driven out", "died", "necrosed", "trapped", "came to rest", "done")),
    "osteocyte": (("trapped:osteoblast",), ("freed by resorption",)),
}


def plate(shape=SHAPE, thickness=7):
    tissue = np.full(shape, tissues.MARROW, np.uint8)
    first = (shape[0] - thickness) // 2
    tissue[first : first + thickness] = tissues.BONE
    return tissue


def begin(tumour=40, seed=1, residents=None, shape=SHAPE, threads=1, **overrides):
    """A plate of bone in marrow, tumour cells and slots beside it, and everything fast."""
    config = load_config({**SCENARIO, "seed": seed}, PROCESSES, overrides)
    tissue = plate(shape)
    marrow = np.flatnonzero(tissue.ravel() == tissues.MARROW)
    places = np.random.default_rng(seed).permutation(marrow)
    cells = {"tumour": np.sort(places[:tumour])} | (residents or {})
    slots = np.sort(places[tumour : tumour + 30])
    geometry = Geometry(tissue, 10.0, cells, slots, np.zeros(0, np.int64))
    return Simulation(config, geometry=geometry, threads=threads)


def of_type(state, name):
    return np.flatnonzero(state.cells.type == state.config.code(name))


def tallied(state, names, cell):
    return sum(state.tallies.get(name if ":" in name else f"{name}:{cell}", 0) for name in names)


def bone_voxels(state):
    return int(np.count_nonzero(state.tissue == tissues.BONE))


class Ledger:
    """What there was at the start, to check against what there is."""

    def __init__(self, state):
        self.state = state
        self.bone = bone_voxels(state)
        self.cells = {name: len(of_type(state, name)) for name in BONE_CELLS}

    def check(self):
        state, bone = self.state, Cavities(self.state)
        tissue, mineral, depth = state.tissue.ravel(), bone.mineral.ravel(), bone.depth.ravel()
        lost, gained = (state.tallies.get(what, 0) for what in ("resorbed:osteoclast", "formed:osteoblast"))
        assert bone_voxels(state) == self.bone - lost + gained
        for name, (sources, sinks) in BONE_CELLS.items():
            there = self.cells[name] + tallied(state, sources, name) - tallied(state, sinks, name)
            assert len(of_type(state, name)) == there, name
        pits = bone.column("pit")
        assert np.array_equal(np.unique(pits), pits)
        assert np.array_equal(np.flatnonzero(depth), pits)
        assert np.all(tissue[pits] == tissues.MARROW)
        solid = tissue == tissues.BONE
        assert np.all((mineral[solid] > 0) & (mineral[solid] <= 1))
        assert np.all((mineral[pits] >= 0) & (mineral[pits] < 1))
        outside = ~solid
        outside[pits] = False
        assert not mineral[outside].any()
        assert np.isin(state.records["release/tgf_beta/voxel"], pits).all()
        assert not np.any(tissue[state.slots] == tissues.BONE)
        cells = state.cells
        here = np.flatnonzero(cells.site >= 0)
        assert np.array_equal(state.occupant.ravel()[cells.site[here]], here)
        assert np.count_nonzero(state.occupant >= 0) == len(here)
        buried = cells.type[here] == state.config.code("osteocyte")
        assert np.array_equal(buried, tissue[cells.site[here]] == tissues.BONE)
        workers = of_type(state, "osteoblast")
        at = np.searchsorted(pits, cells.site[workers])
        assert np.array_equal(pits[at], cells.site[workers])
        assert np.all(bone.column("coupled")[at] == 1)
        new = (cells.born[workers] == state.step - 1) & (state.step > 0)
        assert np.all(bone.column("ready")[at[new]] < state.step)


@pytest.mark.parametrize("coupling", [1.0, 0.4])
def test_bone_and_bone_cells_are_accounted_for_in_every_step(coupling):
    run = begin(**{"processes.remodelling.coupling": coupling})
    ledger = Ledger(run.state)
    for _ in range(run.config.time.steps):
        ledger.check()
        run.run(steps=1)
    ledger.check()
    tallies = run.state.tallies
    for what in ("resorbed:osteoclast", "formed:osteoblast", "freed by resorption:osteocyte", "fused:ocp"):
        assert tallies[what] > 20, what
    for what in ("died:osteoclast", "driven out:osteoblast", "trapped:osteoblast", "came to rest:osteoblast"):
        assert tallies[what] > 2, what


def test_the_order_of_rows_has_no_meaning():
    one, two = begin(), begin()
    for _ in range(40):
        one.run(steps=1)
        cells = two.state.cells
        cells.reorder(np.random.default_rng(two.state.step).permutation(len(cells)))
        there = np.flatnonzero(cells.site >= 0)
        two.state.occupant.reshape(-1)[cells.site[there]] = there
        two.run(steps=1)
    assert one.state.tallies["formed:osteoblast"] > 0
    assert one.state.hash() == two.state.hash()


def test_a_cavity_waits_for_reversal():
    """Where osteoblasts come at once when they may, they come in the first step after it, beside bone."""
    changes = {"recruitment_rate": "1000 /d", "reversal_time": "5 h", "osteoblast_recruitment_factor": 1.0}
    run = begin(0, **{f"processes.remodelling.{name}": value for name, value in changes.items()})
    waits = []
    for _ in range(60):
        run.run(steps=1)
        workers = of_type(run.state, "osteoblast")
        workers = workers[run.state.cells.born[workers] == run.state.step - 1]
        bone = Cavities(run.state)
        since = bone.column("since")[np.searchsorted(bone.column("pit"), run.state.cells.site[workers])]
        waits += (run.state.step - 1 - since[since > 0]).tolist()
    assert min(waits) == 10 == np.median(waits)


def test_without_coupling_bone_only_goes():
    run = begin(**{"processes.remodelling.coupling": 0.0})
    ledger = Ledger(run.state)
    run.run(steps=150)
    ledger.check()
    assert "formed:osteoblast" not in run.state.tallies
    assert bone_voxels(run.state) < ledger.bone - 100
    bone = Cavities(run.state)
    assert np.all(run.state.step - 1 - bone.column("since") < (3 * 24 + 1) * 2)


def test_the_share_that_is_coupled():
    run = begin(**{"processes.remodelling.coupling": 0.3, "processes.remodelling.recruitment_rate": "1e-6 /d"})
    before = set(Cavities(run.state).column("pit").tolist())
    run.run(steps=100)
    bone = Cavities(run.state)
    coupled = bone.column("coupled")[~np.isin(bone.column("pit"), list(before))]
    n = len(coupled)
    assert n > 200
    assert coupled.sum() == pytest.approx(0.3 * n, abs=4 * np.sqrt(0.21 * n))


def test_tumour_without_osteoclasts_takes_no_bone():
    run = begin(3000, **{"processes.remodelling.osteoclast_density": "0 /mm^2",
                         "processes.remodelling.fusion_rate": "0 /d", "fields.rankl.held_at": None})  # fmt: skip
    start = run.state.tissue.copy()
    run.run(steps=96)
    assert len(of_type(run.state, "tumour")) > 1000
    assert run.state.fields["rankl"].max() > 1
    assert np.array_equal(run.state.tissue, start)
    assert not run.state.fields["tgf_beta"].any()


def test_a_blocked_signal_makes_no_osteoclasts_and_those_that_are_there_die_out():
    blocked, free = begin(), begin()
    blocked = begin(**{"processes.remodelling.rankl_blocked": 1.0})
    start = len(of_type(blocked.state, "osteoclast"))
    for run in (blocked, free):
        run.run(steps=96)
    assert "fused:ocp" not in blocked.state.tallies
    assert free.state.tallies["fused:ocp"] > 20
    assert len(of_type(blocked.state, "osteoclast")) == start - blocked.state.tallies["died:osteoclast"]
    share = np.exp(-2 / (2 / 3))  # life of 2 d / 3, after 2 d
    assert len(of_type(blocked.state, "osteoclast")) == pytest.approx(
        start * share, abs=4 * np.sqrt(start * share * (1 - share))
    )


@pytest.mark.parametrize("dt", ["20 min", "45 min", "100 min", "4 h"])
def test_a_voxel_releases_what_it_held_in_a_step_of_any_length(dt):
    """In the first hour at one rate, then 3 d at a tenth of it; nothing of a voxel without content is listed."""
    config = load_config(SCENARIO, PROCESSES, {"time.step": dt, "output.readouts_every": "4 h"})
    nobody = np.zeros(0, np.int64)
    state = seeded_state(config, Geometry(plate(), 10.0, {}, nobody, nobody))
    bone, voxels = Cavities(state), np.array([5, 17])
    bone.depth.reshape(-1)[voxels] = 1
    bone.enter(voxels, 3, 3, np.ones(2))
    length = config.time.step
    given = []
    for state.step in range(3, 3 + int(90 * 60 / length)):
        bone.release("tgf_beta", 16.0, 60.0, 4320.0, 0.1)
        rates = state.records["release/tgf_beta/rate"]
        given.append(rates[0] * length if len(rates) else 0.0)
    assert sum(given) == pytest.approx(16.0, rel=1e-6)
    assert given[0] == pytest.approx(16.0 * (min(length, 60) + 0.1 * max(0, length - 60)) / 492, rel=1e-6)
    bone.release("tgf_beta", 0.0, 60.0, 4320.0, 0.1)
    assert len(state.records["release/tgf_beta/voxel"]) == 0


def test_bone_releases_its_tgf_beta_and_the_field_takes_what_is_released():
    """The content of every voxel resorbed comes out; in the steady field decay takes what comes out, in every hour."""
    slow = {"recruitment_rate": "1e-6 /d", "tail_time": "6 h"}
    run = begin(**{f"processes.remodelling.{name}": value for name, value in slow.items()})
    state, field = run.state, run.config.fields["tgf_beta"]
    content = 16e-3 / field.amount_per_unit
    out = np.zeros(state.tissue.size)
    for _ in range(60):
        run.run(steps=1)
        voxels, rates = (state.records[f"release/tgf_beta/{what}"] for what in ("voxel", "rate"))
        out[voxels] += rates * 30.0
        if state.step % 2:
            lost = field.decay * state.fields["tgf_beta"].sum(dtype=float)
            assert lost == pytest.approx(rates.sum(dtype=float), rel=0.02)
    bone = Cavities(state)
    since = bone.column("since")
    over = bone.column("pit")[(since >= 0) & (since < 60 - 14)]
    assert len(over) > 100
    assert out[over] == pytest.approx(content, rel=1e-5)


def test_a_new_run_releases_what_its_osteoclasts_resorb():
    """Cavities of the start were opened at the rate at which others open from then on, so the field starts steady."""
    run = begin(0, shape=(20, 60, 60), seed=2, **{
        "processes.remodelling.osteoclast_density": "100 /mm^2", "processes.remodelling.resorption_rate": "8000 um^3/d",
        "processes.remodelling.reversal_time": "2 d", "processes.remodelling.apposition_rate": "1.5 um/d",
        "processes.remodelling.recruitment_rate": "0.5 /d", "processes.remodelling.osteoclast_life": "60 d",
        "processes.remodelling.fusion_rate": "0 /d",
    })  # fmt: skip
    content = 16e-3 / run.config.fields["tgf_beta"].amount_per_unit
    resorbed = len(of_type(run.state, "osteoclast")) * 8 / 1440  # voxels a minute
    released = run.state.records["release/tgf_beta/rate"].sum(dtype=float) / content
    assert released == pytest.approx(resorbed, rel=0.3)
    out = []
    for _ in range(96):
        run.run(steps=1)
        out.append(run.state.records["release/tgf_beta/rate"].sum(dtype=float) / content)
    taken = run.state.tallies["resorbed:osteoclast"] / (96 * 30)
    assert np.mean(out) == pytest.approx(taken, rel=0.35)


def test_precursors_keep_their_number():
    changes = {"processes.remodelling.fusion_rate": "0 /d", "cells.ocp.motility": "0 um^2/h"}
    changes |= {"time.step": "4 h", "output.readouts_every": "4 h"}
    run = begin(0, shape=(40, 60, 60), **changes)
    expected = 20000 * run.geometry.volume_of(tissues.MARROW) * 1e-9
    assert len(of_type(run.state, "ocp")) == round(expected)
    counts = []
    for _ in range(60):
        run.run(steps=1)
        counts.append(len(of_type(run.state, "ocp")))
    died = 1 - np.exp(-1 / 6)  # share of those there, and of the newcomers, in a step
    steady = expected / 6 * (1 - died) / died
    assert np.mean(counts[20:]) == pytest.approx(steady, abs=4 * np.sqrt(expected / 3))  # 7 d, life of 1 d
    assert run.state.tallies["arose:ocp"] == pytest.approx(10 * expected, abs=1)


@pytest.mark.parametrize("edge", [10.0, 20.0])
def test_as_many_precursors_fuse_on_an_area_of_bone_at_any_edge(edge):
    """n 10 um k H(L) dt an area: 1.28 mm2, 100000 precursors /mm3, k = 10 /d, L = 1, K_L = 1.5, half an hour."""
    shape = tuple(round(length / edge) for length in (200.0, 800.0, 800.0))
    tissue = plate(shape, thickness=4)
    marrow = np.flatnonzero(tissue.ravel() == tissues.MARROW)
    precursors = np.random.default_rng(1).permutation(marrow)[: round(1e-4 * len(marrow) * edge**3)]
    config = load_config(
        {**SCENARIO, "seed": 1},
        PROCESSES,
        {"geometry.voxel": f"{edge} um", "geometry.size": ["800 um", "800 um", "200 um"],
         "processes.remodelling.osteoclast_density": "0 /mm^2", "cells.ocp.renewal": "0 /(mm^3 d)"},
    )  # fmt: skip
    empty = np.zeros(0, np.int64)
    geometry = Geometry(tissue, edge, {"ocp": np.sort(precursors)}, empty, empty)
    sim = Simulation(config, geometry=geometry, threads=1)
    sim.run(days=1 / 48)
    expected = 1.28e6 * 10.0 * 1e-4 * 10.0 / (1.0 + 1.5**2) / 48
    assert sim.state.tallies["fused:ocp"] == pytest.approx(expected, rel=0.25)


def test_a_vessel_that_grows_into_a_cavity_has_it():
    run = begin()
    run.run(steps=30)
    state = run.state
    ledger = Ledger(state)
    ledger.bone += state.tallies["resorbed:osteoclast"] - state.tallies["formed:osteoblast"]
    pits = Cavities(state).column("pit")
    free = pits[state.occupant.ravel()[pits] < 0][::3]
    Cavities(state).mineral.reshape(-1)[free[0]] = 0.4  # an osteoblast had begun there, and died
    state.tissue.reshape(-1)[free] = tissues.SINUSOID
    state.tissue_changed(free)
    run.run(steps=1)
    bone = Cavities(state)
    assert len(free) > 5
    assert not np.isin(free, bone.column("pit")).any()
    assert not bone.mineral.reshape(-1)[free].any()
    assert bone_voxels(state) == ledger.bone - state.tallies["resorbed:osteoclast"] + state.tallies["formed:osteoblast"]
    run.run(steps=60)
    assert np.all(state.tissue.reshape(-1)[free] == tissues.SINUSOID)


def test_lining_cells_in_a_cavity_become_its_osteoblasts():
    run = begin(0, **{"processes.remodelling.lining_share": 0.0})
    bone = Cavities(run.state)
    free = bone.column("pit")[run.state.occupant.ravel()[bone.column("pit")] < 0]
    from_rest = run.state.add_cells(run.config.code("lining"), free, np.zeros(len(free)))
    ids = run.state.cells.id[from_rest]
    run.run(steps=60)
    cells = run.state.cells
    kept = np.isin(cells.id, ids)
    assert np.count_nonzero(cells.type[kept] == run.config.code("lining")) < len(ids) / 2
    assert run.state.tallies["formed:osteoblast"] > 0


def test_the_estimate_counts_what_remodelling_keeps():
    kept, expected = {}, {}
    for enabled in (False, True):
        run = begin(**{"processes.remodelling.enabled": enabled, "fields.cxcl12.held_at": None})
        voxels = run.state.tissue.size
        kept[enabled] = sum(array.nbytes for _, array in run.state.parts() if array.size == voxels)
        expected[enabled] = estimate(run.config)
    assert expected[True].memory - expected[False].memory == kept[True] - kept[False] == 13 * voxels
    assert expected[True].disk > 1.3 * expected[False].disk


def test_runs_without_remodelling_have_nothing_of_it(make_state):
    state = make_state((8, 8, 8))
    assert not state.records
    assert {"rankl", "tgf_beta"}.isdisjoint(state.fields)
