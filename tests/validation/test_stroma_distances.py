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
    return {
        "spots": len(stroma),
        "endothelium": tree.n,
        "median": np.median(near),
        "null": np.median(far),
        "ratio": np.median(near) / np.median(far),
        "low": low,
        "high": high,
        "within": np.mean(near <= 20),
        "null_within": np.mean(far <= 20),
    }


HEAD = "marrow".ljust(28) + "stroma endothelium  median    null  ratio [95 %]         <= 20 um / null"


def row(name, found):
    counts = f"{name:28s}{found['spots']:6d} {found['endothelium']:11d}"
    medians = f"{found['median']:7.1f} {found['null']:7.1f}"
    ratio = f"{found['ratio']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
    return f"{counts} {medians}  {ratio}    {found['within']:.2f} / {found['null_within']:.2f}"


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


def test_human_double_positive_cells_lie_nearer_to_endothelium_than_the_null(shared_data, capsys):
    with np.load(shared_data / "human_marrow_spots.npz") as spots:
        found = {}
        for donor in DONORS:
            kinds = [spots[f"{donor}_{kind}"].astype(float) for kind in KINDS]
            found[donor] = compare(kinds[4], kinds[1], kinds)
    with capsys.disabled():
        print("\n" + HEAD)
        for donor in DONORS:
            print(row(f"human {donor} CXCL12+CD271+", found[donor]))
    assert all(found[donor]["ratio"] < 1 for donor in DONORS)


def test_model_car_cells_lie_nearer_to_sinusoids_than_the_null(model, capsys):
    kinds = list(model.values())
    full = compare(model["car"], model["endothelium"], kinds)
    walls = model["endothelium"]
    sparse = walls[draws(len(walls), 50) < 2900 / len(walls)]
    thinned = compare(model["car"], sparse, [sparse if k is walls else k for k in kinds])
    with capsys.disabled():
        print("\n" + HEAD)
        print(row("model CAR, every wall voxel", full))
        print(row("model CAR, 2900 spots /mm3", thinned))
    assert full["high"] < 1
