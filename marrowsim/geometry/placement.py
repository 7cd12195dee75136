"""Where stromal cells, niche slots and progenitors stand at the start, by densities and distance laws.

Sites are flat voxel indices (int64, sorted). Densities are in 1/um^3 of extravascular marrow (MARROW
voxels) unless another tissue is named, 1 000 cells per mm^3 being 1e-6, and in 1/um^2 of bone surface;
distances are in um from the voxel centre to the surface of the nearest vessel or bone voxel. A site is drawn
with a probability proportional to its weight, without replacement (exponential keys: Efraimidis & Spirakis
2006, Inf Process Lett 97:181).
"""

import numpy as np

from marrowsim._engine.rng import Stream, uniform
from marrowsim.errors import Fault, GeometryError
from marrowsim.geometry.distance import distance_to
from marrowsim.tissues import ARTERIOLE, BONE, MARROW, SINUSOID

VESSELS = (SINUSOID, ARTERIOLE)
DRAWS = {"car": 0, "lining": 1, "fibroblast": 2, "slot": 3, "hpc bound": 4, "hpc free": 5}
DRAWS |= {"domain": 6, "hot domain": 7, "soft fibroblast": 8}
FIRST_SEEDING_DRAW = 16
CHUNK = 1 << 18


def one_of(tissue, codes):
    """Voxels of any of some tissues: bool, shape of `tissue`."""
    mask = tissue == codes[0]
    for code in codes[1:]:
        mask |= tissue == code
    return mask


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
    return np.flatnonzero((tissue == MARROW) & touching(one_of(tissue, vessels)))


def luminal_sites(tissue, vessels=VESSELS):
    """Lumen voxels with a face on marrow: the places where circulating cells arrest."""
    return np.flatnonzero(one_of(tissue, vessels) & touching(tissue == MARROW))


def endosteal_sites(tissue):
    """Marrow voxels with a face on bone."""
    return np.flatnonzero((tissue == MARROW) & touching(tissue == BONE))


def vessel_distance(tissue, spacing, vessels=VESSELS):
    """Distance (um) to the nearest lumen surface: float32 [z, y, x], see `distance_to`."""
    return distance_to(one_of(tissue, vessels), spacing)


def bone_distance(tissue, spacing):
    """Distance (um) to the nearest bone surface: float32 [z, y, x], see `distance_to`."""
    return distance_to(tissue == BONE, spacing)


def bone_area(tissue, spacing):
    """Area (um^2) of the interface of marrow and bone.

    Two thirds of its voxel faces: the faces of a surface of random orientation have 3/2 of its area.
    """
    faces = 0
    marrow, bone = tissue == MARROW, tissue == BONE
    for axis in range(3):
        one, other = np.moveaxis(marrow, axis, 0), np.moveaxis(bone, axis, 0)
        faces += np.count_nonzero(one[1:] & other[:-1]) + np.count_nonzero(other[1:] & one[:-1])
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
    starts = range(0, len(sites), CHUNK)
    cut = [slice(low, low + CHUNK) for low in starts]
    parts = ((sites[part], None if weight is None else weight[part]) for part in cut)
    return choose_from(parts, number, seed=seed, draw=draw)


def choose_from(parts, number, *, seed, draw):
    """Draw as `choose` does, from sites that come in parts; only those that may still be drawn are kept.

    Parameters
    ----------
    parts : iterable of pairs
        Sites and their weights (or None), ascending over all parts.
    number, seed, draw : as in `choose`

    Returns
    -------
    ndarray of int64, sorted
    """
    sites, keys = np.empty(0, dtype=np.int64), np.empty(0)
    if number == 0:
        return sites
    some, limit = [(sites, keys)], np.inf
    for candidates, weight in parts:
        open_ = candidates if weight is None else candidates[weight > 0]
        key = -np.log(uniform(seed, Stream.STREAM_PLACEMENT, 0, open_, draw))
        if weight is not None:
            key /= weight[weight > 0]
        some.append((open_[key <= limit], key[key <= limit]))
        if sum(len(part) for part, _ in some) > 2 * number + CHUNK:
            sites, keys = _smallest(some, number)
            some, limit = [(sites, keys)], keys.max()
    sites, keys = _smallest(some, number)
    if len(sites) <= number:
        return sites
    chosen = keys < keys.max()
    chosen[np.flatnonzero(~chosen)[: number - np.count_nonzero(chosen)]] = True
    return sites[chosen]


def _smallest(parts, number):
    """Sites and keys of the smallest `number` keys, and of all that tie with the last."""
    sites, keys = (np.concatenate(column) for column in zip(*parts, strict=True))
    if len(keys) <= number:
        return sites, keys
    near = keys <= np.partition(keys, number - 1)[number - 1]
    return sites[near], keys[near]


def _parts(allowed, weight=None):
    """Sites of the true voxels, some planes at a time, with `weight` of these planes and voxels."""
    plane = allowed[0].size
    planes = max(1, CHUNK // plane)
    for low in range(0, len(allowed), planes):
        part = slice(low, low + planes)
        sites = np.flatnonzero(allowed[part]) + low * plane
        yield sites, None if weight is None else weight(part, allowed[part])


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
    free = tissue == MARROW
    volume = np.count_nonzero(free) * spacing**3
    placed = {}

    def place(name, density, extent, allowed, weight=None):
        number = _number(name, density, extent)
        placed[name] = choose_from(_parts(allowed, weight), number, seed=seed, draw=DRAWS[name])
        _require(name, number, placed[name])
        free.reshape(-1)[placed[name]] = False

    def near(vessels_or_bone, plateau, decay):
        distance = distance_to(one_of(tissue, vessels_or_bone), spacing)
        return lambda part, mask: falling_weight(distance[part][mask], plateau, decay)

    place("lining", lining_density, bone_area(tissue, spacing), free & touching(tissue == BONE))
    place("car", car_density, volume, free, near((SINUSOID,), car_plateau, car_decay))
    place("fibroblast", fibroblast_density, volume, free, near((*VESSELS, BONE), fibroblast_plateau, fibroblast_decay))
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
    free = anywhere(tissue == MARROW, spacing, taken, free_density, "free hpc", seed, DRAWS["hpc free"])
    return bound, free


def seed_cells(allowed, spacing, taken, *, seed, draw, density, name="cells"):
    """Further cells anywhere in a part of the lattice, one a voxel.

    Parameters
    ----------
    allowed : ndarray of bool, shape (nz, ny, nx)
        The part that they are put into.
    spacing, seed : as in `place_stroma`
    taken : ndarray of int64
        Sites that are not free.
    draw : int
        Number of the group of cells, so that groups are drawn apart.
    density : float
        1/um^3 of that part.
    name : str
        What they are, in errors.

    Returns
    -------
    ndarray of int64, sorted
        All free voxels where there are fewer than wanted.

    Raises
    ------
    GeometryError
        No free voxel at all, with cells wanted.
    """
    return anywhere(allowed, spacing, taken, density, name, seed, FIRST_SEEDING_DRAW + draw)


def anywhere(allowed, spacing, taken, density, name, seed, draw):
    """Sites drawn evenly from the true voxels of `allowed` that are not `taken`: density times their volume.

    `name` is what they are for, in errors; `draw` a number of `DRAWS`, the rest as in `seed_cells`.
    """
    number = _number(name, density, np.count_nonzero(allowed) * spacing**3)
    free = allowed.copy()
    free.reshape(-1)[taken] = False
    chosen = choose_from(_parts(free), number, seed=seed, draw=draw)
    if number > 0 and len(chosen) == 0:
        remedy = "place them before what fills their place, or in a larger part"
        raise GeometryError(Fault(f"there is no place for any {name}", "a free voxel or more", "0", remedy))
    return chosen


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
