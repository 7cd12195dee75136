"""Where stromal cells, niche slots and progenitors stand at the start, by densities and distance laws.

Sites are flat voxel indices (int64, sorted). Densities are in 1/um^3 of extravascular marrow (MARROW
voxels), 1 000 cells per mm^3 being 1e-6, and in 1/um^2 of bone surface; distances are in um from the voxel
centre to the surface of the nearest vessel or bone voxel. A site is drawn with a probability proportional
to its weight, without replacement (exponential keys: Efraimidis & Spirakis 2006, Inf Process Lett 97:181).
"""

import numpy as np

from marrowsim._engine.rng import Stream, uniform
from marrowsim.errors import Fault, GeometryError
from marrowsim.geometry.distance import distance_to
from marrowsim.tissues import ARTERIOLE, BONE, MARROW, SINUSOID

VESSELS = (SINUSOID, ARTERIOLE)
DRAWS = {"car": 0, "lining": 1, "fibroblast": 2, "slot": 3, "hpc bound": 4, "hpc free": 5}
FIRST_SEEDING_DRAW = 16
CHUNK = 1_000_000


def touching(mask):
    """Voxels that share a face with a true voxel of `mask` (bool, shape of `mask`)."""
    near = np.zeros(mask.shape, dtype=bool)
    for axis in range(3):
        one, other, source = (
            np.moveaxis(near, axis, 0),
            np.moveaxis(near, axis, 0),
            np.moveaxis(mask, axis, 0),
        )
        one[1:] |= source[:-1]
        other[:-1] |= source[1:]
    return near


def wall_sites(tissue, vessels=VESSELS):
    """Marrow voxels with a face on a vessel lumen: the places where cells leave and enter the blood."""
    return np.flatnonzero((tissue == MARROW) & touching(np.isin(tissue, vessels)))


def luminal_sites(tissue, vessels=VESSELS):
    """Lumen voxels with a face on marrow: the places where circulating cells arrest."""
    return np.flatnonzero(np.isin(tissue, vessels) & touching(tissue == MARROW))


def endosteal_sites(tissue):
    """Marrow voxels with a face on bone."""
    return np.flatnonzero((tissue == MARROW) & touching(tissue == BONE))


def vessel_distance(tissue, spacing, vessels=VESSELS):
    """Distance (um) to the nearest lumen surface: float32 [z, y, x], see `distance_to`."""
    return distance_to(np.isin(tissue, vessels), spacing)


def bone_distance(tissue, spacing):
    """Distance (um) to the nearest bone surface: float32 [z, y, x], see `distance_to`."""
    return distance_to(tissue == BONE, spacing)


def bone_area(tissue, spacing):
    """Area (um^2) of the interface of marrow and bone.

    Two thirds of its voxel faces: the faces of a surface of random orientation have 3/2 of its area.
    """
    faces = 0
    for axis in range(3):
        layers = np.moveaxis(tissue, axis, 0)
        for one, other in ((MARROW, BONE), (BONE, MARROW)):
            faces += np.count_nonzero((layers[1:] == one) & (layers[:-1] == other))
    return faces * spacing**2 * 2 / 3


def falling_weight(distance, plateau, decay):
    """Weight 1 up to `plateau` and exp(-(distance - plateau) / decay) beyond (um)."""
    return np.exp(-(np.maximum(distance, plateau) - plateau) / decay, dtype=np.float64)


def choose(sites, number, *, seed, draw, weight=None):
    """Draw `number` sites, or all that have a weight where there are fewer.

    Parameters
    ----------
    sites : ndarray of int64, shape (n,)
        Flat voxel indices, sorted.
    number : int
    seed, draw : int
        STREAM_PLACEMENT, keyed by the voxel.
    weight : ndarray, shape (n,), optional
        Equal weights where left out.

    Returns
    -------
    ndarray of int64, sorted
    """
    if weight is not None:
        sites, weight = sites[weight > 0], weight[weight > 0]
    if number >= len(sites):
        return sites
    if number == 0:
        return sites[:0]
    key = np.empty(len(sites))
    for low in range(0, len(sites), CHUNK):
        part = slice(low, low + CHUNK)
        key[part] = -np.log(uniform(seed, Stream.STREAM_PLACEMENT, 0, sites[part], draw))
    if weight is not None:
        key /= weight
    last = np.partition(key, number - 1)[number - 1]
    chosen = key < last
    chosen[np.flatnonzero(key == last)[: number - np.count_nonzero(chosen)]] = True
    return sites[chosen]


def place_stroma(
    tissue,
    spacing,
    *,
    seed,
    car_density=25e-6,
    car_plateau=10.0,
    car_decay=10.0,
    lining_density=1 / 2770,
    fibroblast_density=2e-6,
    fibroblast_plateau=10.0,
    fibroblast_decay=10.0,
):
    """Sites of bone-lining cells, CXCL12-abundant reticular (CAR) cells and fibroblasts, one cell a voxel.

    Lining cells stand on the endosteum, CAR cells around sinusoids with `falling_weight`, fibroblasts around
    bone and all vessels with theirs. Numbers are density times volume (area), rounded; where there are
    fewer voxels than that, all are taken, so the achieved number is the length of the result.

    Parameters
    ----------
    tissue : ndarray of uint8, shape (nz, ny, nx)
    spacing : float
        Voxel edge (um).
    seed : int
    car_density, fibroblast_density : float
        1/um^3 of extravascular marrow.
    car_plateau, car_decay, fibroblast_plateau, fibroblast_decay : float
        Distance laws (um).
    lining_density : float
        1/um^2 of bone surface. The default, 360 per mm^2, is about 19 nuclei per mm of surface in sections
        (Miller et al. 1980, Metab Bone Dis Relat Res 2:239; recalled).

    Returns
    -------
    dict of str to ndarray of int64
        "car", "lining", "fibroblast": sites, disjoint.

    Raises
    ------
    GeometryError
        A density above 0 for which there is no voxel at all.
    """
    marrow = np.flatnonzero(tissue == MARROW)
    volume = len(marrow) * spacing**3
    sinusoid = vessel_distance(tissue, spacing, (SINUSOID,)).reshape(-1)[marrow]
    free = np.ones(len(marrow), dtype=bool)
    placed = {}

    def place(name, density, extent, weight):
        number = _number(name, density, extent)
        chosen = choose(marrow[free], number, seed=seed, draw=DRAWS[name], weight=weight[free])
        _require(name, number, chosen)
        free[np.searchsorted(marrow, chosen)] = False
        placed[name] = chosen

    endosteum = np.zeros(len(marrow))
    endosteum[np.searchsorted(marrow, endosteal_sites(tissue))] = 1
    place("lining", lining_density, bone_area(tissue, spacing), endosteum)
    place("car", car_density, volume, falling_weight(sinusoid, car_plateau, car_decay))
    surface = distance_to(np.isin(tissue, (*VESSELS, BONE)), spacing).reshape(-1)[marrow]
    near = falling_weight(surface, fibroblast_plateau, fibroblast_decay)
    place("fibroblast", fibroblast_density, volume, near)
    return placed


def place_slots(tissue, spacing, car_sites, *, seed, occupied=None, density=3e-6, reach=20.0, plateau=10.0, decay=3.5):
    """Niche slots: free marrow voxels with a face on a CAR cell, within `reach` of a sinusoid.

    Parameters
    ----------
    tissue, spacing, seed : as in `place_stroma`
    car_sites : ndarray of int64
        Sites of the CAR cells.
    occupied : ndarray of int64, optional
        Sites of all stromal cells; the CAR cells alone where left out.
    density : float
        Slots per um^3 of extravascular marrow.
    reach : float
        Largest distance from a sinusoid (um).
    plateau, decay : float
        Distance law of the weight (um), see `falling_weight`. The defaults put 85 % of the slots, and so of
        bound progenitors, within 10 um of a sinusoid (Acar et al. 2015, Nature 526:126).

    Returns
    -------
    ndarray of int64, sorted
        All admissible voxels where there are fewer than wanted.

    Raises
    ------
    GeometryError
        No admissible voxel, with a density above 0.
    """
    car = np.zeros(tissue.shape, dtype=bool)
    car.reshape(-1)[car_sites] = True
    admissible = (tissue == MARROW) & touching(car)
    admissible.reshape(-1)[car_sites if occupied is None else occupied] = False
    sites = np.flatnonzero(admissible)
    distance = vessel_distance(tissue, spacing, (SINUSOID,)).reshape(-1)[sites]
    weight = np.where(distance <= reach, falling_weight(distance, plateau, decay), 0)
    number = _number("niche slots", density, np.count_nonzero(tissue == MARROW) * spacing**3)
    chosen = choose(sites, number, seed=seed, draw=DRAWS["slot"], weight=weight)
    _require("niche slot", number, chosen)
    return chosen


def place_hpc(tissue, spacing, slots, occupied, *, seed, occupancy=0.65, free_density=50e-9):
    """Haematopoietic progenitors: bound ones in a share of the slots, free ones anywhere in the marrow.

    Parameters
    ----------
    tissue, spacing, seed : as in `place_stroma`
    slots : ndarray of int64
        Niche slots.
    occupied : ndarray of int64
        Sites of stromal cells.
    occupancy : float
        Share of slots that are held, 0 to 1.
    free_density : float
        Free progenitors per um^3 of extravascular marrow.

    Returns
    -------
    bound, free : ndarray of int64, sorted
        Disjoint; free ones stand outside slots.

    Raises
    ------
    GeometryError
        Occupancy out of range.
    """
    if not 0 <= occupancy <= 1:
        raise GeometryError(
            Fault("the occupancy of niche slots is not a share", "0 to 1", f"{occupancy:g}", "change it")
        )
    bound = choose(slots, round(occupancy * len(slots)), seed=seed, draw=DRAWS["hpc bound"])
    taken = np.concatenate([slots, occupied])
    free = _anywhere(tissue, spacing, taken, free_density, "free hpc", seed, DRAWS["hpc free"])
    return bound, free


def seed_cells(tissue, spacing, taken, *, seed, draw, density):
    """Further cells anywhere in the marrow, one a voxel.

    Parameters
    ----------
    tissue, spacing, seed : as in `place_stroma`
    taken : ndarray of int64
        Sites that are not free.
    draw : int
        Number of the group of cells, so that groups are drawn apart.
    density : float
        1/um^3 of extravascular marrow.

    Returns
    -------
    ndarray of int64, sorted
        All free voxels where there are fewer than wanted.
    """
    return _anywhere(tissue, spacing, taken, density, "cells", seed, FIRST_SEEDING_DRAW + draw)


def _anywhere(tissue, spacing, taken, density, name, seed, draw):
    free = tissue == MARROW
    number = _number(name, density, np.count_nonzero(free) * spacing**3)
    free.reshape(-1)[taken] = False
    return choose(np.flatnonzero(free), number, seed=seed, draw=draw)


def _number(name, density, extent):
    """Nearest whole number of cells or slots in a volume or on an area."""
    if not (np.isfinite(density) and density >= 0):
        raise GeometryError(
            Fault(f"the density of {name} is impossible", "0 or more", f"{density}", "change the density")
        )
    return round(density * extent)


def _require(name, number, chosen):
    if number > 0 and len(chosen) == 0:
        raise GeometryError(
            Fault(
                f"there is no place for any {name}",
                allowed="car: near a sinusoid; lining: on bone; niche slot: by a CAR cell near a sinusoid",
                given=f"{number} wanted, 0 admissible marrow voxels",
                remedy=f"grow vessels, or set the density of {name} to 0",
            )
        )
