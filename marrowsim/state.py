"""Everything that changes during a run, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import IntEnum
from functools import cached_property

import numpy as np

from marrowsim import tissues
from marrowsim._engine import census
from marrowsim.config import Config
from marrowsim.geometry.build import Geometry
from marrowsim.geometry.region import region_mask

# Rows are put in order when successive ones of a sample lie this share of the lattice apart on average: it is 2/3 of
# twice the share of the rows that are out of place.
SCATTER_SAMPLE = 2048
SCATTER_SHARE = 0.2


class Status(IntEnum):
    """Where a cell is in its life; the codes of `Cells.status`."""

    FREE = 0
    BOUND = 1
    ARRESTED = 2
    CIRCULATING = 3


class Cells:
    """The table of all cells, on the lattice and in the blood: one array a column, row order without meaning.

    Columns (all of length `count`): `id` int64, persistent and never used twice; `type` uint8, code of the
    cell type; `status` uint8, see `Status`; `heading` int8, direction of the last hop (0-5, or -1);
    `site` int32, voxel index in [z, y, x] order, -1 in the blood; `cxcr4` float32, level, and `constitutive`
    float32, the inherited level without hypoxia; `hypoxia` float32, how far the response to hypoxia has come, 0 to 1;
    `dormant_until` int32, step before which the cell does not divide; `born` int32, step.
    """

    COLUMNS = {
        "id": np.int64,
        "type": np.uint8,
        "status": np.uint8,
        "heading": np.int8,
        "site": np.int32,
        "cxcr4": np.float32,
        "constitutive": np.float32,
        "hypoxia": np.float32,
        "dormant_until": np.int32,
        "born": np.int32,
    }

    CLAIM = (np.int32, np.int32, np.uint32, np.uint8)

    def __init__(self, capacity: int = 1024):
        self.count = 0
        self._store = {name: np.zeros(capacity, dtype=dtype) for name, dtype in self.COLUMNS.items()}
        self._room = ()

    def __len__(self) -> int:
        return self.count

    def __getattr__(self, name: str) -> np.ndarray:
        if name in Cells.COLUMNS:
            return self._store[name][: self.count]
        raise AttributeError(name)

    def append(self, **columns: np.ndarray) -> np.ndarray:
        """Add rows; every column is given, as an array or a scalar. Returns the row numbers of the new cells."""
        added = len(columns["id"])
        capacity = len(self._store["id"])
        if self.count + added > capacity:
            grown = max(self.count + added, capacity + capacity // 8)
            for name, old in self._store.items():
                self._store[name] = np.zeros(grown, dtype=old.dtype)
                self._store[name][: self.count] = old[: self.count]
        rows = slice(self.count, self.count + added)
        for name in self.COLUMNS:
            self._store[name][rows] = columns[name]
        self.count += added
        return np.arange(rows.start, rows.stop, dtype=np.int32)

    def claims(self) -> tuple[np.ndarray, ...]:
        """Room for one claim of every cell: row, target, number, code. What is in it is whatever was there before.

        It is kept from step to step, since the system clears the pages of new memory.
        """
        if not self._room or len(self._room[0]) < self.count:
            self._room = tuple(np.empty(len(self._store["id"]), dtype=dtype) for dtype in self.CLAIM)
        return tuple(column[: self.count] for column in self._room)

    def drop(self, rows: np.ndarray) -> np.ndarray:
        """Drop rows; the last ones fill the holes, so that nothing else is touched. Returns the rows so filled.

        Where rows are in the order of their sites, they nearly stay so: the newborn, last in the table, fill the
        holes by site.
        """
        kept = self.count - len(rows)
        leaving = np.zeros(len(rows), dtype=bool)
        leaving[rows[rows >= kept] - kept] = True
        holes, movers = np.sort(rows[rows < kept]), np.flatnonzero(~leaving) + kept
        movers = movers[np.argsort(self.site[movers])]
        for store in self._store.values():
            store[holes] = store[movers]
        self.count = kept
        return holes

    def reorder(self, order: np.ndarray) -> None:
        """Put the rows into another order: row `order[i]` becomes row i."""
        for store in self._store.values():
            store[: self.count] = store[order]

    def sort_by_site(self) -> None:
        """Put the rows in the order of their sites, those in the blood first."""
        self._room = ()  # gives its bytes to what sorting takes
        self.reorder(np.argsort(self.site))

    def by_id(self) -> np.ndarray:
        """Rows in the order of the ids: int64. By 16 bits at a time, which NumPy sorts by counting."""
        return np.lexsort(self.id.astype("<i8", copy=False).view("<u2").reshape(-1, 4).T)

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """All columns, by name."""
        return ((name, getattr(self, name)) for name in self.COLUMNS)


class State:
    """The lattice, its cells, fields and counters at one step.

    Parameters
    ----------
    config, geometry : constants of the run.

    Attributes
    ----------
    step : int
        Steps done; the time is `step * config.time.step` minutes.
    tissue : uint8, shape (nz, ny, nx)
        Codes of `marrowsim.tissues`.
    occupant : int32, shape (nz, ny, nx)
        Row of the cell in the voxel, -1 where there is none. One cell a voxel.
    cells : Cells
    fields : dict of float32, shape (nz, ny, nx)
        Concentrations by field name, in the field's unit; 0 where it does not diffuse.
    slots : int64, shape (n,)
        Voxels of the niche slots, sorted. A slot is held by the cell of status BOUND in it.
    next_id : int
        The first cell id that was never used.
    tallies : dict of int
        Events since the start, as "what:cell type".
    records : dict of arrays
        What processes keep from step to step besides, by "process/name"; part of the hash and of checkpoints.
    tissue_version : int
        Times that `tissue` was said to have changed; for those who derive something from it.
    diagnostics : dict of float
        Of the last field solutions; derived, and not part of the hash.
    """

    def __init__(self, config: Config, geometry: Geometry):
        self.config = config
        self.geometry = geometry
        self.step = 0
        self.tissue = geometry.tissue.copy()
        self.tissue_version = 0
        self._changes: list[np.ndarray | None] = []
        self.occupant = np.full(self.tissue.shape, -1, dtype=np.int32)
        self.cells = Cells()
        self.slots = geometry.slots.copy()
        self.fields = {
            # Zeros take no memory until they are written to.
            name: np.full(self.tissue.shape, field.initial, np.float32)
            if field.initial
            else np.zeros(self.tissue.shape, np.float32)
            for name, field in config.active_fields.items()
        }
        self.next_id = 0
        self.tallies: dict[str, int] = {}
        self.records: dict[str, np.ndarray] = {}
        self.diagnostics: dict[str, float] = {}

    @cached_property
    def walls(self) -> np.ndarray:
        """Number of faces that a marrow voxel has on vessel lumen, and a lumen voxel on marrow: uint8, as `tissue`.

        Derived from `tissue`; `tissue_changed` keeps it right.
        """
        return census.wall_faces(self.tissue, tissues.IS_LUMEN, tissues.IS_ENTERABLE)

    @cached_property
    def luminal_sites(self) -> np.ndarray:
        """Lumen voxels at the vessel wall, sorted: int64."""
        lumen = tissues.IS_LUMEN[self.tissue].astype(bool)
        return np.flatnonzero(lumen & (self.walls > 0))

    def tissue_changed(self, voxels: np.ndarray | None = None) -> None:
        """Say that `tissue` was changed, so that what is derived from it is made anew.

        Parameters
        ----------
        voxels : flat indices of all that changed; without them, any voxel may have. Fields and vessel walls then
            follow at the cost of what changed.
        """
        self.tissue_version += 1
        voxels = None if voxels is None else np.array(voxels, np.int64).ravel()
        self._changes.append(voxels)
        if voxels is None or "luminal_sites" not in self.__dict__:
            for name in ("walls", "luminal_sites"):
                self.__dict__.pop(name, None)
        else:
            self._follow_walls(voxels)

    def _follow_walls(self, voxels: np.ndarray) -> None:
        """Bring `walls` and `luminal_sites` up to date around these voxels."""
        around = census.face_sites(voxels, *self.tissue.shape).ravel()
        touched = np.unique(np.concatenate([voxels, around[around >= 0]]))
        census.wall_faces_again(self.tissue, tissues.IS_LUMEN, tissues.IS_ENTERABLE, touched, self.walls)
        sites = self.luminal_sites
        place = np.searchsorted(sites, touched)
        known = place < len(sites)
        known[known] = sites[place[known]] == touched[known]
        lumen = tissues.IS_LUMEN[self.tissue.reshape(-1)[touched]].astype(bool)
        luminal = lumen & (self.walls.reshape(-1)[touched] > 0)
        sites = np.delete(sites, place[known & ~luminal])
        new = touched[luminal & ~known]
        self.luminal_sites = np.insert(sites, np.searchsorted(sites, new), new)

    def tissue_changes_since(self, version: int) -> np.ndarray | None:
        """Voxels (flat indices, sorted) whose tissue changed after this `tissue_version`; None where any may have."""
        changes = self._changes[version:]
        if any(voxels is None for voxels in changes):
            return None
        return np.unique(np.concatenate([np.zeros(0, np.int64), *changes]))

    @cached_property
    def region(self) -> np.ndarray | None:
        """Voxels of the region of interest: bool, shape of `tissue`; None where the scenario names none."""
        if self.config.region is None:
            return None
        return region_mask(self.config.region, self.geometry.tissue, self.geometry.spacing)

    @property
    def minutes(self) -> float:
        """Simulated time."""
        return self.step * self.config.time.step

    def tally(self, what: str, rows: np.ndarray) -> None:
        """Count an event that happened to the cells in these rows, by cell type."""
        for code, count in enumerate(np.bincount(self.cells.type[rows])):
            self.count(f"{what}:{self.config.cell_names[code]}", count)

    def count(self, what: str, number: int) -> None:
        """Count an event so many times, under its whole name."""
        if number:
            self.tallies[what] = self.tallies.get(what, 0) + int(number)

    def tally_voxels(self, event: str, voxels: np.ndarray) -> None:
        """Count an event that happened to voxels (flat indices), "what:cell type", overall and in the region."""
        self.count(event, len(voxels))
        if self.region is not None:
            self.count(self.region_tally(event), np.count_nonzero(self.region.reshape(-1)[voxels]))

    @staticmethod
    def region_tally(event: str) -> str:
        """The name under which an event in the region of interest is counted."""
        what, cell = event.split(":")
        return f"{what} in region:{cell}"

    def add_cells(
        self,
        code: int | np.ndarray,
        sites: np.ndarray,
        constitutive: np.ndarray,
        status: Status = Status.FREE,
        hypoxia: float | np.ndarray = 0.0,
    ) -> np.ndarray:
        """Put new cells on free voxels, or into the blood (sites of -1). Returns their rows.

        Parameters
        ----------
        code : cell type, one for all or one each.
        sites : shape (n,).
        constitutive : CXCR4 level without hypoxia, one for all or one each.
        hypoxia : how far the response to hypoxia has come, one for all or one each.
        """
        count = len(sites)
        ids = np.arange(self.next_id, self.next_id + count, dtype=np.int64)
        self.next_id += count
        rows = self.cells.append(
            id=ids, type=code, status=status, heading=-1, site=sites, cxcr4=0.0, constitutive=constitutive,
            hypoxia=hypoxia, dormant_until=0, born=self.step,
        )  # fmt: skip
        self.express(rows)
        if status != Status.CIRCULATING:
            self.occupant.reshape(-1)[sites] = rows
        return rows

    def express(self, rows: np.ndarray | slice = slice(None)) -> None:
        """Set the CXCR4 levels of these cells: R = R_0 (1 + (F - 1) x), x the response to hypoxia."""
        cells = self.cells
        induction = self.config.column("cxcr4_induction").astype(np.float32)[cells.type[rows]]
        cells.cxcr4[rows] = cells.constitutive[rows] * (1 + (induction - 1) * cells.hypoxia[rows])

    @property
    def half_occupancy(self) -> float:
        """CXCL12 (nM) at which half of CXCR4 is occupied: K_d (1 + A / K_A + inhibition), as it is now."""
        receptor = self.config.receptor
        antagonist = receptor.antagonist / receptor.inhibition_constant
        return receptor.dissociation_constant * (1.0 + antagonist + self.inhibition("cxcr4"))

    def inhibition(self, target: str) -> float:
        """Sum over the drugs given of level / inhibition constant at a target: 0 without any, 1 at a half.

        The level is that in the body, or in bone for a drug that binds there.
        """
        levels = self.records.get("drugs/level", ())
        constants = (self.config.drugs[name].inhibits.get(target) for name in self.config.dosed)
        return float(sum(level / constant for level, constant in zip(levels, constants, strict=False) if constant))

    def send_into_blood(self, what: str, rows: np.ndarray) -> None:
        """Take cells off the lattice into the blood, and count the event."""
        self.occupant.reshape(-1)[self.cells.site[rows]] = -1
        self.cells.site[rows] = -1
        self.cells.status[rows] = Status.CIRCULATING
        self.tally(what, rows)

    def remove_cells(self, doomed: np.ndarray) -> None:
        """Take cells out of the table and off the lattice. `doomed` holds their rows, or is a bool mask over rows."""
        rows = np.flatnonzero(doomed) if doomed.dtype == bool else doomed
        if len(rows) == 0:
            return
        flat = self.occupant.reshape(-1)
        gone = self.cells.site[rows]
        flat[gone[gone >= 0]] = -1
        moved = self.cells.drop(rows)
        sites = self.cells.site[moved]
        on_lattice = sites >= 0
        flat[sites[on_lattice]] = moved[on_lattice]

    def gather_cells(self) -> None:
        """Bring the rows back into the order of their sites, for the processor's caches, once that is worth it.

        Hops, births and deaths scatter neighbours over the table. A sample of rows shows how far apart successive
        ones lie on the lattice.
        """
        sites = self.cells.site
        stride = max(1, len(sites) // SCATTER_SAMPLE)
        if len(sites) < SCATTER_SAMPLE or np.abs(np.diff(sites[::stride])).mean() < SCATTER_SHARE * self.tissue.size:
            return
        self.cells.sort_by_site()
        sites = self.cells.site
        first = np.searchsorted(sites, 0)
        self.occupant.reshape(-1)[sites[first:]] = np.arange(first, len(sites), dtype=np.int32)

    def parts(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every array of the state by name, cells in the order of their ids: what a checkpoint holds."""
        order = self.cells.by_id()
        yield "tissue", self.tissue
        yield "slots", self.slots
        for name, column in self.cells.arrays():
            yield f"cells/{name}", column[order]
        for name, field in sorted(self.fields.items()):
            yield f"fields/{name}", field
        for name, array in sorted(self.records.items()):
            yield f"records/{name}", array

    def hash(self) -> str:
        """SHA-256 over everything mutable, independent of the order in which cells are kept."""
        digest = hashlib.sha256(f"{self.step} {self.next_id} {sorted(self.tallies.items())}".encode())
        for name, array in self.parts():
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()

    @classmethod
    def restored(cls, config: Config, geometry: Geometry, scalars: dict, arrays: dict[str, np.ndarray]) -> State:
        """The state of a checkpoint, from `scalars` (step, next_id, tallies) and the arrays of `parts`."""
        state = cls(config, geometry)
        state.step, state.next_id = int(scalars["step"]), int(scalars["next_id"])
        state.tallies = {str(key): int(value) for key, value in scalars["tallies"].items()}
        state.tissue[...] = arrays["tissue"]
        state.slots = arrays["slots"]
        for name, field in state.fields.items():
            field[...] = arrays[f"fields/{name}"]
        prefix = "records/"
        state.records = {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
        state.cells = Cells(max(1024, len(arrays["cells/id"])))
        state.cells.append(**{name: arrays[f"cells/{name}"] for name in Cells.COLUMNS})
        on_lattice = np.flatnonzero(state.cells.site >= 0)
        state.occupant.reshape(-1)[state.cells.site[on_lattice]] = on_lattice
        return state
