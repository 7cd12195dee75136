"""Soft tissue and marrow on one lattice: what is where, and what is counted where."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from marrowsim import Simulation, tissues
from marrowsim.config import load_config
from marrowsim.geometry.build import build_geometry
from marrowsim.geometry.domains import hot_sites
from marrowsim.geometry.placement import DRAWS, FIRST_SEEDING_DRAW
from marrowsim.geometry.sites import GAP, centre_of, shell
from marrowsim.processes import PROCESSES
from marrowsim.processes.fields import by_tissue

EDGE = 30  # voxels
SIZE = {"geometry.size": ["300 um"] * 3}


def geometry_of(scenario, **overrides):
    changes = SIZE | {key.replace("__", "."): value for key, value in overrides.items()}
    return build_geometry(load_config(scenario, PROCESSES, changes))


@pytest.fixture(scope="module")
def soft():
    return geometry_of("primary")


@pytest.fixture(scope="module")
def both():
    return geometry_of("metastasis", soft_tissue__width="300 um")


def test_soft_tissue_has_capillaries_and_fibroblasts_and_no_marrow(soft):
    tissue = soft.tissue
    assert set(np.unique(tissue)) == {tissues.SOFT, tissues.CAPILLARY}
    capillary = tissue == tissues.CAPILLARY
    assert capillary.mean() == pytest.approx(0.015, abs=0.005)
    assert ndimage.label(capillary)[1] == 1
    volume = np.count_nonzero(~capillary) * 1e-6  # mm^3
    assert len(soft.residents["fibroblast"]) == round(20000 * volume)
    assert len(soft.slots) == len(soft.held) == 0
    assert not any(len(soft.residents[name]) for name in ("car", "hot_car", "lining", "hpc"))


def test_no_vessels_without_a_volume_fraction():
    bare = geometry_of("primary", soft_tissue__vessel_volume_fraction=0)
    assert (bare.tissue == tissues.SOFT).all()


def test_the_sites_are_divided_and_each_has_what_is_its_own(both):
    tissue = both.tissue
    assert tissue.shape == (EDGE, EDGE, 2 * EDGE + GAP)
    marrow, gap, slab = np.split(tissue, [EDGE, EDGE + GAP], axis=2)
    assert (gap == tissues.OUTSIDE).all()
    assert set(np.unique(slab)) == {tissues.SOFT, tissues.CAPILLARY}
    assert not np.isin(marrow, (tissues.SOFT, tissues.CAPILLARY, tissues.OUTSIDE)).any()
    alone = geometry_of("metastasis", soft_tissue__width="0 um", seeding=[])
    assert np.array_equal(marrow, alone.tissue)
    column = {name: sites % tissue.shape[2] for name, sites in both.residents.items()}
    for name in ("car", "hot_car", "lining", "hpc"):
        assert len(column[name]) > 0
        assert column[name].max() < EDGE
    assert column["tumour"].min() >= EDGE + GAP
    assert (both.slots % tissue.shape[2] < EDGE).all()


def test_densities_refer_to_the_volume_of_their_site(both):
    tissue = both.tissue
    marrow, soft = (np.count_nonzero(tissue == code) * 1e-6 for code in (tissues.MARROW, tissues.SOFT))
    assert len(both.residents["car"]) + len(both.residents["hot_car"]) == round(25000 * marrow)
    assert len(both.residents["fibroblast"]) == round(2000 * marrow) + round(20000 * soft)
    assert len(both.slots) == pytest.approx(3000 * marrow, abs=1)


def test_injected_cells_are_a_density_of_all_the_tissue_that_shares_the_blood(both):
    entry = {"cell": "tumour", "density": "10000 /mm^3"}
    config = load_config("metastasis", PROCESSES, SIZE | {"soft_tissue.width": "300 um", "injection": [entry]})
    simulation = Simulation(config, geometry=both, threads=1)
    simulation.run(steps=1)
    volume = np.count_nonzero(np.isin(both.tissue, tissues.ENTERABLE)) * 1e-6
    assert simulation.state.tallies["injected:tumour"] == round(10000 * volume)


def test_every_free_voxel_of_a_ball_is_taken_at_the_largest_density():
    entry = {"cell": "tumour", "density": "1000000 /mm^3", "within": "60 um"}
    built = geometry_of("primary", seeding=[entry])
    z, y, x = np.indices(built.tissue.shape)
    squared = sum((10.0 * axis + 5.0 - 150.0) ** 2 for axis in (z, y, x))
    free = (built.tissue == tissues.SOFT) & (squared <= 60.0**2)
    free.reshape(-1)[built.residents["fibroblast"]] = False
    assert np.array_equal(built.residents["tumour"], np.flatnonzero(free))


def test_shells_follow_one_another_and_their_density_is_that_of_their_volume():
    core = {"cell": "tumour", "density": "500000 /mm^3", "within": "60 um", "centre": ["100 um", "150 um", "200 um"]}
    ring = core | {"cell": "fibroblast", "density": "100000 /mm^3", "within": "100 um", "beyond": "60 um"}
    built = geometry_of("primary", seeding=[core, ring], soft_tissue__fibroblast="0 /mm^3")
    z, y, x = np.indices(built.tissue.shape)
    radius = np.sqrt((10 * x + 5 - 100) ** 2 + (10 * y + 5 - 150) ** 2 + (10 * z + 5 - 200) ** 2)
    soft = built.tissue == tissues.SOFT
    for name, low, high, density in (("tumour", 0, 60, 0.5), ("fibroblast", 60, 100, 0.1)):
        inside = soft & (radius >= low) & (radius <= high)
        assert inside.reshape(-1)[built.residents[name]].all()
        assert len(built.residents[name]) == round(density * np.count_nonzero(inside))


def test_cells_of_one_type_may_be_seeded_into_both_sites():
    entries = [{"cell": "tumour", "density": "5000 /mm^3", "site": site} for site in ("marrow", "soft_tissue")]
    built = geometry_of("metastasis", soft_tissue__width="200 um", seeding=entries)
    codes = built.tissue.reshape(-1)[built.residents["tumour"]]
    for code in (tissues.MARROW, tissues.SOFT):
        assert np.count_nonzero(codes == code) == round(0.005 * np.count_nonzero(built.tissue == code))
    default = geometry_of(
        "metastasis", soft_tissue__width="200 um", seeding=[{"cell": "tumour", "density": "1000 /mm^3"}]
    )
    assert (default.tissue.reshape(-1)[default.residents["tumour"]] == tissues.MARROW).all()


def test_centre_and_shell_are_in_micrometres():
    box = np.zeros((10, 12, 20), dtype=np.uint8)
    box[2:6, 3:9, 10:20] = tissues.SOFT
    assert centre_of(box, tissues.SOFT, 10.0) == (150.0, 60.0, 40.0)
    ball = shell((5, 5, 5), 10.0, (25.0, 25.0, 25.0), 0.0, 10.0)
    assert ball.sum() == 7
    assert shell((5, 5, 5), 10.0, (25.0, 25.0, 25.0), 10.0, 10.0).sum() == 6


def test_tissues_take_up_and_lose_what_the_catalogue_says():
    config = load_config("metastasis", PROCESSES)
    oxygen, chemokine = (by_tissue(config, name, config.fields[name]) for name in ("oxygen", "cxcl12"))
    assert oxygen[tissues.MARROW, 0, 2] == pytest.approx(240, rel=1e-3)
    assert oxygen[tissues.SOFT, 0, 2] == pytest.approx(0.25 * oxygen[tissues.MARROW, 0, 2])
    assert oxygen[tissues.CAPILLARY, 0, 0] / oxygen[tissues.CAPILLARY, 0, 1] == pytest.approx(45)
    assert np.array_equal(chemokine[tissues.SOFT], chemokine[tissues.MARROW])
    assert not oxygen[tissues.SPROUT].any()


@pytest.fixture(scope="module")
def car_cells():
    """25,000 /mm^3 at random in a cube of 600 um, as flat voxel indices."""
    shape = (60, 60, 60)
    sites = np.sort(np.random.default_rng(1).choice(60**3, 5400, replace=False))
    return sites, shape


def hot(car_cells, **changes):
    sites, shape = car_cells
    return hot_sites(sites, shape, 10.0, **({"seed": 1, "fraction": 0.15, "scale": 120.0} | changes))


@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.15, 0.5, 1.0])
def test_the_hot_fraction_is_met(car_cells, fraction):
    found = hot(car_cells, fraction=fraction)
    assert len(found) == round(fraction * len(car_cells[0]))
    assert np.isin(found, car_cells[0]).all()
    assert np.array_equal(found, hot(car_cells, fraction=fraction))
    if 0 < fraction < 1:
        assert not np.array_equal(found, hot(car_cells, fraction=fraction, seed=2))
        assert np.isin(found, hot(car_cells, fraction=0.5 * (1 + fraction))).all()


def test_hot_domains_are_compact_and_of_their_scale(car_cells):
    """Neighbours share their domain; at twice the scale and beyond hot cells are as frequent as anywhere."""
    sites, shape = car_cells
    points = 10.0 * np.stack(np.unravel_index(sites, shape), axis=1)
    first, second = cKDTree(points).query_pairs(260.0, output_type="ndarray").T
    apart = np.linalg.norm(points[first] - points[second], axis=1)
    own, far = ((first[some], second[some]) for some in (apart < 30.0, apart >= 240.0))
    near, distant = [], []
    for seed in range(1, 9):
        warm = np.isin(sites, hot(car_cells, seed=seed))
        near.append(warm[own[1][warm[own[0]]]].mean())
        distant.append(warm[far[1][warm[far[0]]]].mean())
    assert np.mean(near) > 0.75
    assert np.mean(distant) == pytest.approx(0.15, abs=0.06)


def test_hot_cells_secrete_four_times_as_much_and_count_as_car_cells():
    config = load_config("homing", PROCESSES)
    assert [config.cell_names[code] for code in config.family("car")][:2] == ["car", "hot_car"]
    normal, more = (config.cells[name].secretion["cxcl12"] for name in ("car", "hot_car"))
    assert more == pytest.approx(4 * normal)
    mean = (1 - config.stroma.hot_fraction) * normal + config.stroma.hot_fraction * more
    assert mean == pytest.approx(normal * 1.45)


def test_a_family_is_what_is_like_it_through_any_number_of_steps():
    types = {"a": {"like": "tumour", "label": "a"}, "b": {"like": "a", "label": "b"}}
    config = load_config("homing", PROCESSES, {"cells.a": types["a"], "cells.b": types["b"]})
    assert [config.cell_names[code] for code in config.family("tumour")] == ["tumour", "a", "b"]
    assert config.family("b").tolist() == [config.code("b")]


def test_slots_face_car_cells_of_either_kind(both):
    tissue = both.tissue
    faces = np.zeros(tissue.size, dtype=bool)
    for name in ("car", "hot_car"):
        z, y, x = np.unravel_index(both.residents[name], tissue.shape)
        for step in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
            for sign in (1, -1):
                place = [axis + sign * d for axis, d in zip((z, y, x), step, strict=True)]
                keep = np.all([(p >= 0) & (p < n) for p, n in zip(place, tissue.shape, strict=True)], axis=0)
                faces[np.ravel_multi_index([p[keep] for p in place], tissue.shape)] = True
    assert faces[both.slots].all()


def test_draws_are_numbered_apart():
    assert len(set(DRAWS.values())) == len(DRAWS)
    assert max(DRAWS.values()) < FIRST_SEEDING_DRAW
