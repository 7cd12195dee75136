"""Sprouts: where they set out, how fast they grow, what they join, and what becomes of them."""

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim._engine.rng import Stream, uniform
from marrowsim.processes import Clock
from marrowsim.processes.sprouts import Sprouts
from marrowsim.state import Status

SHAPE = (30, 30, 60)
WALKER = {"label": "walker", "motility": "1000 um^2/h"}


def plate(*planes, shape=SHAPE, code=tissues.SINUSOID):
    """Marrow with a vessel that fills whole planes across x."""
    tissue = np.full(shape, tissues.MARROW, np.uint8)
    tissue[:, :, list(planes)] = code
    return tissue


def site(state, z, y, x):
    return int(np.ravel_multi_index((z, y, x), state.tissue.shape))


def set_vegf(state, per_um=0.0, level=0.05):
    """VEGF rises along x from a level at x = 0."""
    x = 10.0 * np.arange(state.tissue.shape[2], dtype=np.float32)
    state.fields["vegf"][...] = np.float32(level) + np.float32(per_um) * x


def put_tips(state, voxels, direction=5):
    """Tips in these voxels, each springing from the voxel behind it."""
    process, sprouts = state.config.processes["angiogenesis"], Sprouts(state)
    voxels = np.asarray(voxels, np.int64)
    headings = np.full(len(voxels), direction)
    process._add_tips(state, sprouts, voxels, headings, None, voxels - 1, voxels - 1)
    return sprouts


def live(state, steps, dt=30.0, threads=1, first=0):
    """Steps of angiogenesis alone."""
    for step in range(first, first + steps):
        state.step = step
        state.config.processes["angiogenesis"].update(state, Clock(step, dt, state.config.seed, threads))


def tips_of(state):
    return state.cells.site[state.cells.type == state.config.code("tip")]


def test_the_front_of_sprouts_advances_at_5_to_11_um_per_hour(box, consistent, record_property):
    """Target B30, in a gradient whose decay length is that of VEGF in tissue."""
    shape = (60, 60, 60)
    state = box(plate(0, shape=shape))
    state.fields["vegf"][...] = 0.05 * np.exp(np.arange(60) * 10 / 173.0)
    put_tips(state, [site(state, z, y, 1) for z in range(5, 60, 10) for y in range(5, 60, 10)])
    live(state, 80)
    x = tips_of(state) % shape[2]
    speed = (x.mean() - 1) * 10 / 40.0
    record_property("Vessels", f"B30 | sprouts up a VEGF gradient: {speed:.2f} um/h (target 5-11)")
    assert 5.0 < speed < 6.2
    assert consistent(state) is None


def test_speed_does_not_depend_on_the_time_step(box):
    shape = (60, 60, 60)
    means = []
    for dt, steps in ((6.0, 200), (60.0, 20)):
        state = box(plate(0, shape=shape), overrides={"time.step": f"{dt} min"})
        set_vegf(state, 1e-4)
        put_tips(state, [site(state, z, y, 1) for z in range(4, 60, 6) for y in range(4, 60, 6)])
        live(state, steps, dt)
        means.append(Sprouts(state).voxels("voxel").size / 100)
    assert means[0] == pytest.approx(means[1], abs=4 * np.sqrt(2 * 12.0 / 100))
    assert means[0] == pytest.approx(12.0, rel=0.12)


def test_tips_set_out_at_the_rate_of_the_wall_and_only_above_the_threshold(box):
    """Per 100 um2 of wall: k V / (V + V*), one chance a voxel, far more wall than spacing allows is not used up."""
    expected, count = 0.0, 0
    for seed in range(12):
        overrides = {"processes.angiogenesis.tip_rate": "4e-6 /min", "processes.angiogenesis.spacing": "1 um"}
        state = box(plate(20), overrides=overrides, seed=seed)
        set_vegf(state, level=0.022)
        live(state, 1)
        set_out = state.tallies.get("set out:tip", 0)
        count += set_out
        expected += 2 * 900 * 30 * 4e-6 * 2 / 3
        state.fields["vegf"][...] = 0.0109
        live(state, 20, first=1)
        assert state.tallies.get("set out:tip", 0) == set_out
    assert count == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_no_two_tips_set_out_within_the_spacing(box):
    state = box(plate(20), overrides={"processes.angiogenesis.tip_rate": "1 /min"})
    set_vegf(state, level=0.1)
    live(state, 1)
    places = np.stack(np.unravel_index(tips_of(state), SHAPE), axis=1)
    assert len(places) > 20
    apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    assert (apart[~np.eye(len(places), dtype=bool)] > 3).all()  # they may have hopped once since
    before = len(places)
    state.config.processes["angiogenesis"]._set_out(state, Sprouts(state), Clock(1, 1e-3, 1, 1))
    assert len(tips_of(state)) == before


def grow_to(state, x, first=0):
    """Straight stalk of one tip, hop by hop, until the tip is at x."""
    step = first
    while (tips_of(state) % state.tissue.shape[2]).max(initial=x) < x:
        live(state, 1, first=step)
        step += 1
    return step


def straight(box, *planes, tips, overrides=None, **more):
    """A box in which tips only go straight along +x."""
    along = {"processes.angiogenesis.straight_length": "1e9 um", "processes.angiogenesis.sensitivity": 0.0}
    state = box(plate(*planes), overrides={**along, **(overrides or {})}, **more)
    set_vegf(state, level=0.05)
    put_tips(state, [site(state, *place) for place in tips])
    return state


def test_a_sprout_between_two_vessels_gets_flow_along_exactly_its_path(box, consistent):
    """Anastomosis, then 24 h, and the oxygen of blood where it ran."""
    state = straight(box, 0, 20, tips=[(15, 15, 1), (3, 3, 40)], overrides={"fields.oxygen.held_at": "5 mmHg"})
    step = 0
    while "joined a vessel:tip" not in state.tallies:
        live(state, 1, first=step)
        step += 1
    joined = step - 1
    path = [site(state, 15, 15, x) for x in range(1, 20)]
    sprouts = Sprouts(state)
    assert sprouts.voxels("voxel")[sprouts.voxels("vessel") >= 0].tolist() == path
    assert set(sprouts.voxels("opens")[sprouts.voxels("vessel") >= 0]) == {joined + 48}
    live(state, joined + 48 - step, first=step)
    assert not tissues.IS_LUMEN[state.tissue.reshape(-1)[path]].any()
    live(state, 1, first=joined + 48)
    np.testing.assert_array_equal(state.tissue.reshape(-1)[path], tissues.SINUSOID)
    assert np.count_nonzero(state.tissue == tissues.SINUSOID) == 2 * 900 + 19
    assert np.isin(path, state.luminal_sites).all()
    consistent(state)


def test_two_sprouts_that_meet_make_one_vessel(box, consistent):
    """One goes along +x, the other along -y across its way; both stalks up to the meeting open, the rest does not."""
    state = straight(box, 0, tips=[(15, 15, 1), (15, 26, 1)])
    sprouts = Sprouts(state)
    live(state, 30)
    first, other = (int(tip) for tip in tips_of(state)[np.argsort(state.cells.id)])
    assert first % SHAPE[2] > 4
    assert other % SHAPE[2] > 4
    # The second turns towards the first's stalk.
    row = int(np.flatnonzero(state.cells.site == other)[0])
    state.cells.heading[row] = 2
    live(state, 60, first=30)
    assert state.tallies.get("joined a vessel:tip", 0) >= 1
    waiting = sprouts.voxels("voxel")[sprouts.voxels("vessel") >= 0]
    assert {int(voxel) % SHAPE[2] for voxel in waiting} >= {1, 2, 3}
    rows = np.unravel_index(waiting, SHAPE)[1]
    assert rows.min() == 15
    assert rows.max() == 26
    consistent(state)


def test_a_sprout_does_not_join_where_it_sprang_from(box):
    """A tip that runs along its own vessel, beside its root, stays a tip."""
    state = straight(box, 0, tips=[(15, 15, 1)])
    state.cells.heading[0] = 3
    sprouts = Sprouts(state)
    live(state, 10)
    assert sprouts.tips("length")[0] >= 2
    near = abs(np.unravel_index(int(tips_of(state)[0]), SHAPE)[1] - 15) <= 5
    assert near
    assert "joined a vessel:tip" not in state.tallies


@pytest.mark.parametrize("after_joining", [False, True])
def test_a_progenitor_at_a_sprout_joins_its_wall_and_halves_the_time_to_flow(box, consistent, after_joining):
    state = straight(box, 0, 12, tips=[(15, 15, 1)], overrides={"cells.epc.incorporation_rate": "1000 /min"})
    step = grow_to(state, 6)
    place = site(state, 15, 16, 4)
    if not after_joining:
        state.add_cells(state.config.code("epc"), np.array([place]), 1.5)
    while "joined a vessel:tip" not in state.tallies:
        live(state, 1, first=step)
        step += 1
    sprouts = Sprouts(state)
    opens = {int(value) for value in sprouts.voxels("opens")[sprouts.voxels("vessel") >= 0]}
    if after_joining:
        assert opens == {step - 1 + 48}
        live(state, 8, first=step)
        state.add_cells(state.config.code("epc"), np.array([place, site(state, 15, 17, 4)]), 1.5)
        live(state, 2, first=step + 8)
        opens_after = {int(value) for value in sprouts.voxels("opens")[sprouts.voxels("vessel") >= 0]}
        assert opens_after == {step + 8 + (48 - 9 + 1) // 2}
    else:
        assert opens == {step - 1 + 24}
    assert state.tallies["laid vessel wall:epc"] == 1 + after_joining
    assert state.tallies["laid vessel wall:tip"] == 11
    assert np.count_nonzero(state.cells.type == state.config.code("epc")) == 0
    live(state, 50, first=step + 10)
    assert state.tissue.reshape(-1)[place] == tissues.SINUSOID
    consistent(state)


def test_without_uptake_progenitors_stay_cells(box):
    state = straight(box, 0, tips=[(15, 15, 1)], overrides={"cells.epc.incorporation_rate": "0 /min"})
    step = grow_to(state, 6)
    state.add_cells(state.config.code("epc"), np.array([site(state, 15, 16, 4)]), 1.5)
    live(state, 20, first=step)
    assert "laid vessel wall:epc" not in state.tallies
    assert np.count_nonzero(state.cells.type == state.config.code("epc")) == 1


@pytest.mark.parametrize("code", [tissues.SINUSOID, tissues.CAPILLARY])
def test_a_stalk_without_flow_and_vegf_becomes_the_tissue_that_it_was(box, consistent, code):
    tissue = plate(0, code=code)
    ground = tissues.SOFT if code == tissues.CAPILLARY else tissues.MARROW
    tissue[tissue == tissues.MARROW] = ground
    state = box(tissue)
    set_vegf(state, level=0.05)
    put_tips(state, [site(state, 15, 15, 1)])
    live(state, 40)
    laid = Sprouts(state).voxels("laid").copy()
    assert len(laid) > 5
    state.fields["vegf"][...] = 0.0021
    last = int(laid.max()) + 7 * 48
    live(state, last - 40, first=40)
    assert np.count_nonzero(state.tissue == tissues.SPROUT) == np.count_nonzero(laid == laid.max())
    live(state, 1, first=last)
    assert np.count_nonzero(state.tissue == ground) == tissue.size - 900
    assert len(tips_of(state)) == 0
    assert state.tallies["regressed:tip"] == 1
    consistent(state)


def test_progenitors_do_not_join_what_is_left_of_a_collapsed_vessel(box):
    state = box(plate(10, shape=(20, 20, 20)), overrides={"cells.epc.incorporation_rate": "1000 /min"})
    voxels = np.array([site(state, 10, 10, 10)])
    state.tissue.reshape(-1)[voxels] = tissues.SPROUT
    state.tissue_changed(voxels)
    Sprouts(state).lay(voxels, voxels + 20, -1)
    state.add_cells(state.config.code("epc"), voxels + 1, 1.5)
    live(state, 10)
    assert state.tallies == {}


def test_a_stalk_with_vegf_stays(box):
    state = straight(box, 0, tips=[(15, 15, 1)])
    live(state, 9 * 48)
    assert np.count_nonzero(state.tissue == tissues.SPROUT) > 5
    assert "regressed:tip" not in state.tallies


def test_vessels_in_a_dense_crowd_collapse_at_their_rate_and_lose_no_cell(box, consistent):
    """Every lumen voxel at the wall, 1 - exp(-r t), and arrested cells go into the blood."""
    shape = (20, 20, 20)
    tissue = plate(10, shape=shape)
    types = {"crowd": {"label": "crowd", "crowding": 1.0}, "walker": WALKER}
    marrow = np.flatnonzero(tissue.reshape(-1) == tissues.MARROW)
    state = box(tissue, {"crowd": marrow}, types)
    lumen = np.flatnonzero(tissue.reshape(-1) == tissues.SINUSOID)
    state.add_cells(state.config.code("walker"), lumen, 1.0, Status.ARRESTED)
    live(state, 48)
    share = 1 - np.exp(-0.0714)
    collapsed = np.count_nonzero(state.tissue == tissues.SPROUT)
    assert collapsed == pytest.approx(400 * share, abs=4 * np.sqrt(400 * share))
    circulating = state.cells.status == Status.CIRCULATING
    assert np.count_nonzero(circulating) == collapsed == state.tallies["released into blood:walker"]
    assert len(state.cells) == len(marrow) + 400
    consistent(state)


def test_vessels_do_not_collapse_where_a_tenth_is_free_nor_arterioles(box):
    shape = (20, 20, 20)
    for code, share in ((tissues.SINUSOID, 0.7), (tissues.ARTERIOLE, 1.0)):
        tissue = plate(10, shape=shape, code=code)
        marrow = np.flatnonzero(tissue.reshape(-1) == tissues.MARROW)
        crowd = marrow[uniform(1, Stream.STREAM_USER, 0, marrow) < share]
        state = box(tissue, {"crowd": crowd}, {"crowd": {"label": "crowd", "crowding": 1.0}})
        live(state, 48)
        assert np.count_nonzero(state.tissue == code) == pytest.approx(400, abs=2 * (share < 1))


def test_tips_push_single_cells_aside_and_stop_before_a_wall_of_them(box, consistent):
    state = box(plate(0), {"walker": np.zeros(0, np.int64)}, {"walker": WALKER})
    set_vegf(state, 1e-4)
    open_sites = np.flatnonzero(state.tissue.reshape(-1) == tissues.MARROW)
    walkers = open_sites[uniform(2, Stream.STREAM_USER, 0, open_sites) < 0.7]
    start = [site(state, z, 15, 1) for z in range(5, 30, 8)]
    walkers = np.setdiff1d(walkers, start)
    state.add_cells(state.config.code("walker"), walkers, 1.0)
    put_tips(state, start)
    live(state, 60)
    assert state.tallies["laid vessel wall:tip"] > 60
    assert np.count_nonzero(state.cells.type == state.config.code("walker")) == len(walkers)
    consistent(state)
    packed = box(plate(0), {"walker": np.setdiff1d(open_sites, start)}, {"walker": WALKER})
    set_vegf(packed, 1e-4)
    put_tips(packed, start)
    live(packed, 60)
    assert "laid vessel wall:tip" not in packed.tallies


def test_sprouts_go_round_niche_slots(box):
    slots = np.sort([site(box_state, 15, 15, 5) for box_state in [box(plate(0))]])
    state = straight(box, 0, tips=[(15, 15, 1)], slots=slots)
    live(state, 40)
    assert state.tissue.reshape(-1)[slots[0]] == tissues.MARROW
    assert len(Sprouts(state).voxels("voxel")) > 8


def test_branches_spring_from_the_stalk_away_from_all_tips(box):
    state = straight(box, 0, tips=[(15, 15, 1)], overrides={"processes.angiogenesis.branching": "0.05 /um"})
    live(state, 60)
    assert state.tallies["set out:tip"] > 1
    sprouts = Sprouts(state)
    assert len(np.unique(sprouts.tips("tree"))) == 1
    for voxel in sprouts.voxels("voxel"):
        assert state.tissue.reshape(-1)[sprouts.path(int(voxel))[1]] == tissues.SINUSOID


def test_oxygen_rises_where_a_new_vessel_gets_flow(box):
    """Marrow between two far vessels is poor in oxygen, until a vessel joins them."""
    state = straight(box, 0, 24, tips=[(15, 15, 1)], overrides={"fields.oxygen.held_at": None})
    fields, step = state.config.processes["fields"], 0
    inside, beside, far = (15, 15, 12), (15, 16, 12), (5, 5, 12)
    fields.prepare(state, Clock(0, 30.0, 1, 1))
    before = state.fields["oxygen"].copy()
    while np.count_nonzero(state.tissue == tissues.SINUSOID) == 2 * 900:
        live(state, 1, first=step)
        set_vegf(state, level=0.05)
        step += 1
    for _ in range(5):
        fields.update(state, Clock(step, 30.0, 1, 1))
    rise = state.fields["oxygen"] - before
    assert rise[inside] > 2.0
    assert 1.0 < rise[beside] < rise[inside]
    assert abs(rise[far]) < 0.1
