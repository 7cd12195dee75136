"""Readouts of bone against counts by hand: surfaces, cells, cavities, the region of interest."""

import numpy as np
import pytest

from marrowsim import tissues
from marrowsim.bone_morphometry import morphometry
from marrowsim.bone_readouts import BONE_READOUTS, FORMED, RESORBED, BoneCensus
from marrowsim.config.sections import Region
from marrowsim.errors import GeometryError, ScenarioError
from marrowsim.geometry.region import region_mask
from marrowsim.processes.cavities import Cavities
from marrowsim.readouts import measure_readouts
from marrowsim.simulation import Simulation

EDGE = 30
REGION = {"region.within": "80 um", "region.centre": ["150 um", "150 um", "200 um"]}
OVERRIDES = {
    "geometry.size": [f"{10 * EDGE} um"] * 3,
    "processes.remodelling.enabled": True,
    "vessels.source": "none",
    **{f"stroma.{name}": "0 /mm^3" for name in ("car", "slots", "hpc_free")},
    "time.step": "1 h",
}


def plate(**more):
    """A run whose bone is a plate, z < 15, without cells on it."""
    simulation = Simulation.from_scenario("healthy", overrides=OVERRIDES | more, threads=1)
    state = simulation.state
    state.remove_cells(np.ones(len(state.cells), dtype=bool))
    state.records.clear()
    state.tallies.clear()
    state.tissue[...], state.tissue[:15] = tissues.MARROW, tissues.BONE
    state.geometry.tissue[...] = state.tissue
    state.tissue_changed()
    Cavities(state)
    return state


def at(state, z, y, x):
    return np.ravel_multi_index((np.atleast_1d(z), np.atleast_1d(y), np.atleast_1d(x)), state.tissue.shape)


def put(state, cell, z, y, x):
    sites = at(state, z, y, x)
    state.add_cells(state.config.code(cell), sites, np.ones(len(sites), np.float32))


def test_columns_are_there_where_bone_is_remodelled_and_of_the_region_where_one_is_named():
    still = measure_readouts(Simulation.from_scenario("healthy", overrides={"geometry.size": ["100 um"] * 3}).state)
    named = {f"{item.name} ({item.unit})" for item in BONE_READOUTS}
    assert named.intersection(still) == {"BV/TV (1)"}
    assert not [name for name in still if "region" in name]
    row = measure_readouts(plate())
    assert named.issubset(row)
    assert not [name for name in row if "region" in name]
    row = measure_readouts(plate(**REGION))
    assert {f"{item.name} in region ({item.unit})" for item in BONE_READOUTS}.issubset(row)


def test_cells_cover_their_share_of_a_plate():
    """Nine of 900 voxels of surface by an osteoclast, one by an osteoblast; none where bone is out of reach."""
    state = plate()
    put(state, "osteoclast", [15, 25], [10, 10], [10, 10])
    put(state, "osteoblast", [15, 15], [20, 21], [20, 20])
    put(state, "ocp", 20, 20, 20)
    row = measure_readouts(state)
    assert row["Oc.S/BS (1)"] == row["ES/BS (1)"] == pytest.approx(9 / 900)
    assert row["Ob.S/BS (1)"] == pytest.approx(2 / 900)
    assert (row["osteoclasts (cells)"], row["osteoblasts (cells)"]) == (2, 2)
    assert row["osteoclast precursors (cells)"] == 1
    assert row["N.Oc/BS (1/mm2)"] == pytest.approx(2 / 0.09, rel=0.02)
    assert (row["BV/TV (1)"], row["BS/BV (1/mm)"]) == pytest.approx((0.5, 1 / 0.15), rel=0.02)


def test_an_osteoclast_at_the_corner_of_the_lattice_covers_what_is_there():
    state = plate()
    put(state, "osteoclast", 15, 0, EDGE - 1)
    assert measure_readouts(state)["Oc.S/BS (1)"] == pytest.approx(4 / 900)


def test_structure_is_that_of_measure():
    state = plate(**REGION)
    state.tissue[20:25] = tissues.BONE
    state.geometry.tissue[...] = state.tissue
    row, bone = measure_readouts(state), state.tissue == tissues.BONE
    for words, region in (("", None), (" in region", state.region)):
        measured = morphometry(bone, 10.0, region)
        for name in ("BV/TV", "BS/TV", "BS/BV", "Tb.Th", "Tb.Sp", "Tb.N"):
            column = next(key for key in row if key.startswith(f"{name}{words} ("))
            assert row[column] == pytest.approx(measured[name], rel=1e-6), column


def test_cavities_are_eroded_until_osteoblasts_come_or_osteoid_is_laid():
    """A trench 3 voxels wide, 2 deep: floor of 3 x 10, walls 2 x 10 on both sides and 2 x 3 at both ends."""
    state = plate()
    trench = np.zeros(state.tissue.shape, dtype=bool)
    trench[13:15, 10:20, 10:13] = True
    state.tissue[trench] = tissues.MARROW
    state.tissue_changed(np.flatnonzero(trench))
    depth = np.zeros(state.tissue.shape, np.uint8)
    depth[14][trench[14]], depth[13][trench[13]] = 1, 2
    state.records |= {"bone/pit": np.flatnonzero(trench), "bone/depth": depth}
    state.records["bone/mineral"] = np.where(state.tissue == tissues.BONE, 1, 0).astype(np.float32)
    census = BoneCensus(state)
    sites, areas = census.surface
    inside = trench.reshape(-1)[sites]
    floor, upper = (depth.reshape(-1)[sites] == level for level in (2, 1))
    assert (np.count_nonzero(floor), np.count_nonzero(upper)) == (30, 22)
    row = measure_readouts(state)
    assert row["ES/BS (1)"] == pytest.approx(areas[inside].sum() / areas.sum())
    expected = 10 * (2 * areas[floor].sum() + areas[upper].sum()) / areas[inside].sum()
    assert row["erosion depth (um)"] == pytest.approx(expected)
    state.records["bone/mineral"][14][trench[14]] = 0.5
    put(state, "osteoblast", 13, 10, 11)
    row = measure_readouts(state)
    bare = floor & (sites != at(state, 13, 10, 11))
    assert row["ES/BS (1)"] == pytest.approx(areas[bare].sum() / areas.sum())
    assert row["erosion depth (um)"] == pytest.approx(20.0)


def test_volumes_and_turnover_are_those_of_the_tallies_in_the_region_too():
    state = plate(**REGION)
    assert np.isnan(measure_readouts(state)["bone turnover (1/d)"])
    inside, outside = at(state, 14, 15, [14, 15, 16]), at(state, 14, [1, 2], 1)
    assert state.region.reshape(-1)[inside].all() and not state.region.reshape(-1)[outside].any()
    state.tally_voxels(RESORBED, np.concatenate([inside, outside]))
    state.tally_voxels(FORMED, inside[:1])
    state.tally_voxels(FORMED, outside[:0])
    state.step = 48
    row = measure_readouts(state)
    assert row["bone resorbed (mm3)"] == pytest.approx(5e-6)
    assert row["bone resorbed in region (mm3)"] == pytest.approx(3e-6)
    assert row["bone formed (mm3)"] == row["bone formed in region (mm3)"] == pytest.approx(1e-6)
    assert row["bone turnover (1/d)"] == pytest.approx(3 / 13500 / 2)
    bone = np.count_nonzero(state.region[:15])
    assert row["bone turnover in region (1/d)"] == pytest.approx(2 / bone / 2)


def test_what_is_resorbed_and_formed_is_what_bone_lost_and_gained_in_the_region():
    overrides = {"geometry.size": ["200 um"] * 3, "geometry.bone_volume_fraction": 0.3, "time.step": "2 h"}
    more = {"region.size": ["200 um", "200 um", "100 um"], "region.centre": ["100 um", "100 um", "50 um"]}
    simulation = Simulation.from_scenario("remodelling", overrides=overrides | more, threads=1)
    state = simulation.state
    simulation.run(days=4)
    now, start = (codes == tissues.BONE for codes in (state.tissue, state.geometry.tissue))
    row, change = measure_readouts(state), now.astype(int) - start
    for words, part in (("", change), (" in region", change[:10])):
        net = row[f"bone formed{words} (mm3)"] - row[f"bone resorbed{words} (mm3)"]
        assert net == pytest.approx(part.sum() * 1e-6)
        assert row[f"bone resorbed{words} (mm3)"] > 0
        assert row[f"bone formed{words} (mm3)"] > 0
    assert row["bone resorbed in region (mm3)"] < row["bone resorbed (mm3)"]


def test_planes_of_all_directions_have_their_area_on_average():
    """100 directions over a hemisphere; a plane d off the middle of a ball of radius R has pi (R2 - d2) in it."""
    radius, count = 22.0, 100
    z, y, x = np.indices((50,) * 3) - 24.5
    ball = x**2 + y**2 + z**2 <= radius**2
    state, errors = plate(), []
    for number in range(count):
        height, turn = (number + 0.5) / count, np.pi * (3 - np.sqrt(5)) * number
        across = np.sqrt(1 - height**2)
        distance = 0.5 * np.sin(number)
        bone = x * across * np.cos(turn) + y * across * np.sin(turn) + z * height < distance
        state.tissue = np.where(bone, tissues.BONE, tissues.MARROW).astype(np.uint8)
        errors.append(BoneCensus(state, ball).surface[1].sum() / (np.pi * (radius**2 - distance**2)) - 1)
    assert np.mean(errors) == pytest.approx(0, abs=0.01)
    assert np.std(errors) < 0.03
    assert min(errors) > -0.12 and max(errors) < 0.05


def test_regions_are_balls_and_boxes_of_the_specimen():
    tissue = np.full((20, 20, 40), tissues.MARROW, np.uint8)
    tissue[:, :, 20:22], tissue[:, :, 22:] = tissues.OUTSIDE, tissues.SOFT
    ball = region_mask(Region(within="60 um"), tissue, 10.0)
    assert np.count_nonzero(ball) == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)
    assert np.argwhere(ball).mean(0) == pytest.approx([9.5, 9.5, 9.5])
    box = region_mask(Region(size=["40 um", "60 um", "80 um"], centre=["190 um", "100 um", "100 um"]), tissue, 10.0)
    low, high = np.argwhere(box).min(0), np.argwhere(box).max(0)
    assert (low.tolist(), high.tolist()) == ([6, 7, 17], [13, 12, 19])
    assert np.count_nonzero(box) == 8 * 6 * 3


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ({}, "neither ball nor box"),
        ({"centre": ["1 um"] * 3}, "neither ball nor box"),
        ({"within": "50 um", "size": ["50 um"] * 3}, "both ball and box"),
        ({"within": "-5 um"}, "out of bounds"),
        ({"within": "50 um", "radius": "5 um"}, "unknown"),
    ],
)
def test_a_region_that_is_none_is_refused(region, words):
    overrides = {"geometry.size": ["200 um"] * 3, "region": region}
    with pytest.raises(ScenarioError, match=words):
        Simulation.from_scenario("healthy", overrides=overrides)


def test_a_region_beyond_the_specimen_is_refused():
    overrides = {"geometry.size": ["200 um"] * 3, "region": {"within": "20 um", "centre": ["1 mm", "0 um", "0 um"]}}
    with pytest.raises(GeometryError, match="nothing of the specimen"):
        Simulation.from_scenario("healthy", overrides=overrides)
    with pytest.raises(ScenarioError, match="no bone for a region"):
        Simulation.from_scenario("culture", overrides={"region.within": "20 um"})
