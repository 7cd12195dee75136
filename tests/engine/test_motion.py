"""Random walks against closed forms (targets A7-A9, A11, A15)."""

import numpy as np
import pytest

from marrowsim._engine.rng import Stream, uniform
from marrowsim.processes import Clock

WALKER = {"label": "walker", "motility": "1000 um^2/h"}  # 1 hop a minute at 10 um


def positions(state):
    """Of the cells in the order of their ids."""
    sites = state.cells.site[np.argsort(state.cells.id)]
    return np.stack(np.unravel_index(sites, state.tissue.shape), axis=1).astype(float)


def walk(state, minutes, first=0):
    """Run the motility process alone."""
    motility = state.config.processes["motility"]
    for step in range(first, first + minutes):
        motility.update(state, Clock(step, 1.0, state.config.seed, 1))


def random_sites(count, voxels, seed):
    """Distinct voxels, drawn from an array of candidates."""
    voxels = np.asarray(voxels)
    return np.sort(voxels[np.argsort(uniform(seed, Stream.STREAM_USER, 0, voxels))[:count]])


def inner(shape, margin):
    """Voxels at least `margin` away from every face of the box."""
    keep = np.zeros(shape, dtype=bool)
    keep[margin:-margin, margin:-margin, margin:-margin] = True
    return np.flatnonzero(keep)


def occupancy_to_concentration(theta, half=4.0):
    return (half * theta / (1.0 - theta)).astype(np.float32)


def test_free_walkers_diffuse_with_h2_m_over_6(make_state, record_property):
    shape = (160, 160, 160)
    state = make_state(shape, {"walker": random_sites(10_000, inner(shape, 20), 1)}, {"walker": WALKER})
    start = positions(state)
    walk(state, 60)
    displacement = positions(state) - start
    spread = (displacement**2).sum(axis=1).mean()
    record_property("Closed forms", f"A7 | {spread / 60.0:.3f} of m h^2 t, 1e4 walkers")
    assert spread == pytest.approx(60.0, rel=0.02)
    assert abs(displacement.mean(axis=0)).max() < 4 * np.sqrt(20 / 10_000)


def test_persistent_walkers_keep_their_direction_for_the_persistence_time(make_state):
    """With P = 2 min and m = 1 /min the mean cosine of successive hops is exp(-1/2), and the diffusivity
    rises to (1 + mu) / (1 - mu) of the unbiased one."""
    shape = (220, 220, 220)
    walker = WALKER | {"persistence_time": "2 min"}
    state = make_state(shape, {"walker": random_sites(10_000, inner(shape, 50), 2)}, {"walker": walker})
    walk(state, 20)
    middle = positions(state)
    walk(state, 100, first=20)
    memory = np.exp(-0.5)
    ideal = (1 + memory) / (1 - memory) * 100 - 2 * memory / (1 - memory) ** 2
    assert ((positions(state) - middle) ** 2).sum(axis=1).mean() == pytest.approx(ideal, rel=0.05)


@pytest.mark.parametrize(("attempts", "tolerance"), [(0.04, 0.03), (0.2, 0.08)])
@pytest.mark.parametrize(("filled", "expected"), [(0.25, 0.707), (0.5, 0.424), (0.75, 0.188)])
def test_tracer_diffusion_under_exclusion_converges_to_the_exclusion_process(
    make_state, record_property, filled, expected, attempts, tolerance
):
    """D_tr / D_0 = (1 - c) f(c) as the attempt probability goes to 0; at 0.2, the one in use, it is lower."""
    shape = (72, 72, 72)
    sites = random_sites(int(filled * 72**3), np.arange(72**3), 3)
    overrides = {"processes.motility.attempts": attempts}
    state = make_state(shape, {"walker": sites}, {"walker": WALKER}, overrides)
    walk(state, 12)
    start = positions(state)
    tracked = ((start > 15) & (start < 56)).all(axis=1)
    walk(state, 40, first=12)
    moved = ((positions(state) - start)[tracked] ** 2).sum(axis=1).mean()
    record_property("Closed forms", f"A8 | {moved / 40:.3f} ({expected}) at attempts of {attempts}")
    assert moved / 40 == pytest.approx(expected, rel=tolerance)


def test_exclusion_leaves_collective_diffusion_unchanged(make_state, record_property):
    """A cosine mode of density decays with D_0, whatever the density."""
    length = 40
    shape = (40, 40, length)
    x = np.arange(length) + 0.5
    density = 0.5 + 0.3 * np.cos(np.pi * x / length)
    sites = np.flatnonzero(uniform(5, Stream.STREAM_USER, 0, np.arange(40 * 40 * length)) < np.tile(density, 1600))
    overrides = {"processes.motility.attempts": 0.1}
    state = make_state(shape, {"walker": sites}, {"walker": WALKER}, overrides)

    def amplitude():
        return np.cos(np.pi * (positions(state)[:, 2] + 0.5) / length).sum()

    first = amplitude()
    walk(state, 600)
    rate = 2 * (1 - np.cos(np.pi / length)) / 6
    left, law = amplitude() / first, np.exp(-rate * 600)
    record_property("Closed forms", f"A9 | mode at {left / law:.3f} of its law")
    assert left == pytest.approx(law, rel=0.03)


@pytest.mark.parametrize("per_hop", [0.05, 0.3, 1.0])
def test_chemotactic_index_is_sinh_over_2_plus_cosh(make_state, record_property, per_hop):
    """Hops up a linear occupancy gradient, kappa dtheta = per_hop."""
    shape = (160, 160, 100)
    walker = WALKER | {"cxcr4": 1.0, "chemotactic_sensitivity": per_hop / 0.008}
    overrides = {"receptor.desensitisation": 0.0}
    candidates = inner(shape, 20)
    state = make_state(shape, {"walker": random_sites(10_000, candidates, 6)}, {"walker": walker}, overrides)
    state.fields["cxcl12"][...] = occupancy_to_concentration(0.01 + 0.008 * np.arange(100))
    start = positions(state)
    walk(state, 6)
    hops = 6.0
    index = (positions(state) - start)[:, 2].mean() / hops
    law = np.sinh(per_hop) / (2 + np.cosh(per_hop))
    record_property("Closed forms", f"A11 | {index:.3f} ({law:.3f})")
    assert index == pytest.approx(law, abs=0.012)


def test_single_walkers_settle_as_exp_2_kappa_theta(make_state, record_property):
    length = 32
    shape = (64, 64, length)
    walker = WALKER | {"cxcr4": 1.0, "chemotactic_sensitivity": 10.0}
    overrides = {"receptor.desensitisation": 0.0}
    theta = 0.3 + 0.1 * np.cos(np.pi * (np.arange(length) + 0.5) / length)
    state = make_state(
        shape, {"walker": random_sites(1_500, np.arange(64 * 64 * length), 7)}, {"walker": walker}, overrides
    )
    state.fields["cxcl12"][...] = occupancy_to_concentration(theta)
    walk(state, 5000)
    density = np.zeros(length)
    for first in range(5000, 15000, 50):
        walk(state, 50, first=first)
        density += np.bincount(state.cells.site % length, minlength=length)
    density /= density.mean()
    law = np.exp(2 * 10.0 * theta)
    law /= law.mean()
    assert density[0] / density[-1] == pytest.approx(law[0] / law[-1], rel=0.15)
    off = np.abs(density / law - 1).max()
    record_property("Closed forms", f"A15 | {off:.0%} off at most")
    assert off < 0.12


def test_walls_of_the_box_and_solid_tissue_are_never_entered(make_state):
    tissue = np.ones((12, 12, 12), dtype=np.uint8)
    tissue[:, :, 5] = 2
    free = np.flatnonzero(tissue.ravel() == 1)
    state = make_state(tissue.shape, {"walker": random_sites(300, free, 8)}, {"walker": WALKER}, tissue=tissue)
    sides = positions(state)[:, 2] > 5
    walk(state, 200)
    assert (state.tissue.ravel()[state.cells.site] == 1).all()
    np.testing.assert_array_equal(positions(state)[:, 2] > 5, sides)


def test_one_cell_a_voxel_and_the_lattice_knows_it(make_state):
    shape = (20, 20, 20)
    state = make_state(shape, {"walker": random_sites(6000, np.arange(8000), 9)}, {"walker": WALKER})
    walk(state, 50)
    assert len(np.unique(state.cells.site)) == 6000
    rows = state.occupant.ravel()[state.cells.site]
    np.testing.assert_array_equal(rows, np.arange(6000))
    assert np.count_nonzero(state.occupant >= 0) == 6000


def test_the_same_walk_for_any_thread_count_and_any_order_of_rows(make_state):
    shape = (24, 24, 24)
    sites = random_sites(5000, np.arange(24**3), 10)
    hashes = set()
    for threads in (1, 2, 3, 8):
        state = make_state(shape, {"walker": sites}, {"walker": WALKER})
        if threads == 3:
            shuffle_rows(state)
        motility = state.config.processes["motility"]
        for step in range(20):
            motility.update(state, Clock(step, 1.0, 1, threads))
        hashes.add(state.hash())
    assert len(hashes) == 1


def shuffle_rows(state):
    """Put the cell table into another order; its meaning stays."""
    order = np.argsort(uniform(1, Stream.STREAM_USER, 1, state.cells.id))
    for name, column in state.cells.arrays():
        column[...] = getattr(state.cells, name)[order]
    state.occupant.ravel()[state.cells.site] = np.arange(len(order))
