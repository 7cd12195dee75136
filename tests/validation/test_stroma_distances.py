"""Distances of CXCL12-rich stroma to endothelium: cleared human marrow (Chu et al. 2023) beside the model."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.special import ndtri

from marrowsim._engine.rng import Stream, uniform
from marrowsim.geometry.placement import endosteal_sites, luminal_sites, place_stroma
from marrowsim.geometry.trabecular import generate_trabecular
from marrowsim.geometry.vessels import grow_vessels
from marrowsim.tissues import SINUSOID
from marrowsim.validation import interval_text

pytestmark = pytest.mark.slow

DONORS = ("YP2", "YP3", "OP2", "OP4")
KINDS = ("Bone", "ENG", "CXCL12only", "CD271only", "CD271_CXCL12")
JITTER = 50.0
BLOCK = 200.0
RESAMPLES = 1000
SPACING = 10.0


def draws(number, draw):
    return uniform(1, Stream.STREAM_USER, 0, np.arange(number), draw)


def common_box(kinds):
    """Lowest and highest corner of the box that all point clouds span."""
    return np.max([k.min(axis=0) for k in kinds], axis=0), np.min([k.max(axis=0) for k in kinds], axis=0)


def inside(points, box):
    return points[((points >= box[0]) & (points <= box[1])).all(axis=1)]


def jittered(points, box):
    """The tissue-shaped null: every spot moved by a normal step of JITTER on each axis, kept in the box."""
    step = np.stack([ndtri(draws(len(points), axis)) for axis in range(3)], axis=1)
    return inside(points + JITTER * step, box)


def blocks(points, box):
    """Number of the cube of edge BLOCK that holds each point."""
    grid = np.ceil((box[1] - box[0]) / BLOCK).astype(int) + 1
    return np.ravel_multi_index(tuple(((points - box[0]) // BLOCK).astype(int).T), grid)


def compare(stroma, endothelium, everything):
    """Median distance (um), and its ratio to the null with a 95 % interval from resampled blocks.

    Neighbouring spots are not independent, so cubes of 200 um are resampled and not spots.
    """
    box = common_box([stroma, endothelium, *everything])
    tree = cKDTree(inside(endothelium, box))
    stroma, null = inside(stroma, box), jittered(np.concatenate([inside(k, box) for k in everything]), box)
    near, far = tree.query(stroma)[0], tree.query(null)[0]
    owner = blocks(stroma, box), blocks(null, box)
    held = np.unique(np.concatenate(owner))
    groups = [
        [np.sort(distance[own == block]) for block in held] for distance, own in ((near, owner[0]), (far, owner[1]))
    ]
    ratios = np.empty(RESAMPLES)
    for sample in range(RESAMPLES):
        chosen = (draws(len(held), 100 + sample) * len(held)).astype(int)
        one, other = (np.concatenate([group[c] for c in chosen]) for group in groups)
        ratios[sample] = np.median(one) / np.median(other) if len(one) else np.nan
    low, high = np.nanpercentile(ratios, [2.5, 97.5])
    medians = {"median": np.median(near), "null": np.median(far)}
    return medians | {"ratio": medians["median"] / medians["null"], "low": low, "high": high}


def row(name, found):
    ratio = interval_text((found["ratio"], found["low"], found["high"]))
    return f"{name} | {found['median']:.1f} | {found['null']:.1f} | {ratio}"


@pytest.fixture(scope="module")
def model():
    """Points (um) of a generated mouse marrow: CAR cells, endothelium, and all kinds."""
    tissue = grow_vessels(generate_trabecular("mouse", (100,) * 3, SPACING, 1), SPACING, seed=1)
    stroma = place_stroma(tissue, SPACING, seed=1)
    sites = {
        "bone": endosteal_sites(tissue),
        "endothelium": luminal_sites(tissue, (SINUSOID,)),
        "fibroblast": stroma["fibroblast"],
        "car": stroma["car"],
    }
    return {
        name: (np.stack(np.unravel_index(flat, tissue.shape), axis=1) + 0.5) * SPACING for name, flat in sites.items()
    }


@pytest.mark.parametrize("donor", DONORS)
def test_human_double_positive_cells_lie_nearer_to_endothelium_than_the_null(shared_data, record_property, donor):
    with np.load(shared_data / "human_marrow_spots.npz") as spots:
        kinds = [spots[f"{donor}_{kind}"].astype(float) for kind in KINDS]
    found = compare(kinds[4], kinds[1], kinds)
    record_property("Stroma and endothelium", row(donor, found))
    assert found["ratio"] < 1


def test_model_car_cells_lie_nearer_to_sinusoids_than_the_null(model, record_property):
    kinds = list(model.values())
    full = compare(model["car"], model["endothelium"], kinds)
    walls = model["endothelium"]
    sparse = walls[draws(len(walls), 50) < 2900 / len(walls)]
    thinned = compare(model["car"], sparse, [sparse if k is walls else k for k in kinds])
    record_property("Stroma and endothelium", row("model, every wall voxel", full))
    record_property("Stroma and endothelium", row("model, endothelium thinned to 2900 spots /mm3", thinned))
    assert full["high"] < 1
