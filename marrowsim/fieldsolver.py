"""Concentration fields: steady or implicit diffusion with decay, saturable uptake and sources.

The equation is

    dc/dt = div(D grad c) - k c - q c / (K + c) + s

with the 7-point stencil and no flux through the sides of the box or into impermeable voxels. It is
solved to its steady state or over one backward Euler step by geometric multigrid (Brandt 1977, Math
Comput 31:333; Trottenberg, Oosterlee & Schueller 2001, Multigrid) in single precision; uptake by
Newton's method, one linearisation a cycle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marrowsim._engine import multigrid, multigrid_faces, multigrid_levels, multigrid_pockets, multigrid_terms
from marrowsim.errors import Fault, FieldError
from marrowsim.fieldinputs import count, mask_of, number, positive, relative_by_code, shaped, term, writable
from marrowsim.pockets import SMALL_POCKET, Pockets, sinkless_pockets

NOTHING = np.zeros((0, 0, 0), np.float32)
NO_VOXELS = np.zeros(0, np.int64)

# Below this sink (in units of a face's conductance) the part of it that single precision rounds off
# a diagonal is felt in the field, and is corrected before every cycle.
SMALL_SINK = 2.0**-7

# Beyond so many sinks that stand for their pockets it is quicker to find the pockets again.
MOST_WITNESSES = 16384

STEADY_CYCLES = 400
# Single precision leaves a field in motion by about this much.
STEADY_FLOOR = 1e-6
# The first cycles bring down more than those that follow.
STEADY_PACE = 0.25


@dataclass(frozen=True)
class SolveReport:
    """What one solve did.

    Attributes
    ----------
    update_norm : change of the field by the solve (with uptake, by its last cycle), L2 norm relative to that of
        the field.
    mass_balance : (sources - losses - storage) / sources over the whole box, where what the field held
        at the start of a time step counts as a source; 0 where there is no source.
    minimum : smallest value of an open voxel before negative ones were set to 0.
    undershoot : how far it was below 0, relative to the root mean square of the field.
    cycles : V-cycles done.
    """

    update_norm: float
    mass_balance: float
    minimum: float
    undershoot: float
    cycles: int


class FieldSolver:
    """Multigrid solver for the fields of one lattice.

    Its memory is reused from solve to solve: about 14 B per voxel that `like` shares, and 7 B of its own.

    Parameters
    ----------
    relative_diffusivity : array_like [z, y, x]
        Diffusivity of each voxel relative to `diffusivity`; 0 is impermeable. The diffusivity of a face
        is the geometric mean of its two voxels.
    spacing : float
        Voxel edge in um.
    diffusivity : float
        Diffusivity in um2/min.
    threads : int
        Threads to use; the result does not depend on it.
    like : FieldSolver, optional
        Solver of the same shape to share working memory with. The two must not be at work at the same time.
    codes : uint8 [z, y, x], optional
        Tissue codes; `relative_diffusivity` is then by code, 256 numbers.

    Raises
    ------
    FieldError
        If a number is not physical or an array has the wrong shape.
    """

    def __init__(
        self,
        relative_diffusivity,
        spacing: float,
        diffusivity: float,
        threads: int = 1,
        like: FieldSolver | None = None,
        codes: np.ndarray | None = None,
    ):
        self.spacing = positive("spacing", spacing, "um")
        self.diffusivity = positive("diffusivity", diffusivity, "um2/min")
        self.threads = count("threads", threads)
        self.shape = np.shape(relative_diffusivity if codes is None else codes)
        relative = mask_of(relative_diffusivity, codes, like.shape if like else self.shape)
        self._shares = like is not None
        self._levels = multigrid_levels.build_levels(*self.shape, like._levels if like else None)
        self._pockets = Pockets(self._levels[0])
        self._closed, self._reopened = NO_VOXELS, np.zeros(0, np.float32)
        self._witnesses: np.ndarray | None = None
        self._unwitnessed = NO_VOXELS
        self._take_mask(relative, codes)

    @property
    def nbytes(self) -> int:
        """Bytes of working memory, without what is another solver's."""
        shared, own = (sum(part) for part in zip(*(level.nbytes for level in self._levels), strict=True))
        return own + (0 if self._shares else shared)

    def update_mask(self, relative_diffusivity, codes: np.ndarray | None = None) -> None:
        """Take over a changed relative diffusivity of any voxels; arguments as for a new solver."""
        relative = mask_of(relative_diffusivity, codes, self.shape)
        self._open_closed()
        self._take_mask(relative, codes)

    def _take_mask(self, relative: np.ndarray, codes: np.ndarray | None) -> None:
        if multigrid_faces.set_diffusivity(self._levels, relative, self.threads, codes):
            self._witnesses = None
            self._pockets.find_all()

    def update_voxels(self, voxels, relative_diffusivity) -> None:
        """Change the relative diffusivity of some voxels, as after bone was eaten, at the cost of their rows.

        Parameters
        ----------
        voxels : array_like of int, flat indices [z, y, x].
        relative_diffusivity : array_like, one number for each of them, or one for all.
        """
        voxels = np.ascontiguousarray(voxels, np.int64).ravel()
        relative = np.broadcast_to(np.asarray(relative_diffusivity, np.float32), voxels.shape)
        size = math.prod(self.shape)
        if voxels.size and not (voxels.min() >= 0 and voxels.max() < size):
            raise FieldError(
                Fault("voxels lie outside the lattice", f"0 to {size - 1}", f"{voxels.min()} to {voxels.max()}")
            )
        if relative.size:
            term("relative_diffusivity", relative.reshape(1, 1, -1))
        self._open_closed()
        changed = multigrid_faces.set_voxels(self._levels, voxels, np.ascontiguousarray(relative), self.threads)
        self._follow_witnesses(voxels[changed])
        self._pockets.find_around(voxels[changed])

    def _follow_witnesses(self, changed: np.ndarray) -> None:
        """Keep the witnesses that are still open, and in mind that some voxels opened or closed."""
        if self._witnesses is None:
            return
        self._unwitnessed = np.union1d(self._unwitnessed, changed)
        if len(self._witnesses) + len(self._unwitnessed) > MOST_WITNESSES:
            self._witnesses = None
        else:
            self._witnesses = self._witnesses[self._levels[0].relative_of(self._witnesses) > 0]

    def solve(
        self,
        field: np.ndarray,
        source,
        decay,
        *,
        uptake=None,
        half_saturation: float = 0.0,
        time_step: float | None = None,
        cycles: int = 2,
        threads: int | None = None,
    ) -> SolveReport:
        """Solve for the steady field, or for the field one time step later.

        In a pocket of open voxels that no sink is reached from, the steady state is not determined:
        without a source such a pocket keeps the values that it had; with one there is no steady state.

        Parameters
        ----------
        field : float32 [z, y, x], C order
            Concentration: first guess and, with `time_step`, the field at the start of the step.
            Overwritten by the solution, with 0 in impermeable voxels.
        source : array_like [z, y, x]
            Concentration per minute, at least 0, and 0 in impermeable voxels.
        decay : float or array_like [z, y, x]
            First-order loss, 1/min.
        uptake : array_like [z, y, x], optional
            Greatest rate q of saturable uptake q c / (K + c), concentration per minute.
        half_saturation : float
            K, in units of concentration; above 0 where there is uptake.
        time_step : float, optional
            Length of the backward Euler step in min; None for the steady state.
        cycles : int
            V-cycles. From a warm start 1 reaches a relative L2 error of 1e-3, from a cold one 2, or 4 with uptake.
        threads : int, optional
            In place of the solver's own number; the result does not depend on it.

        Raises
        ------
        FieldError
            If an input is not physical, or nothing takes up what a source gives.
        """
        threads = self.threads if threads is None else count("threads", threads)
        cycles = count("cycles", cycles)
        writable(field, self.shape)
        source = shaped("source", source, self.shape)
        rate, uniform = NOTHING, 0.0
        if np.ndim(decay):
            rate = shaped("decay", decay, self.shape)
        else:
            uniform = number("decay", decay, "1/min")
        if uptake is None:
            uptake, half_saturation = NOTHING, 1.0
        else:
            uptake = shaped("uptake", uptake, self.shape)
            half_saturation = positive("half_saturation", half_saturation, "the unit of the field")
        if time_step is not None:
            storage = 1.0 / positive("time_step", time_step, "min")
            term("field", field, self.shape)
            held = field * np.float32(storage)
            source = np.add(source, held, out=held)
            uniform += storage
        scale = self.spacing**2 / self.diffusivity
        terms = multigrid_terms.Terms(field, source, rate, uniform, uptake, half_saturation, scale)
        self._open_closed()
        least = self._first_descent(terms, field, source, rate, uptake, threads)
        kept = field.ravel()[self._closed]
        reload = uptake.size > 0 or least < SMALL_SINK
        for cycle in range(1, cycles + 1):
            if cycle > 1:
                multigrid.descend(self._levels, terms if reload else None, threads)
            stored = reload or cycle == cycles
            found = multigrid.ascend(self._levels, terms if stored else None, threads)
            multigrid_pockets.balance_pockets(
                self._levels[0], self._pockets.voxels, self._pockets.starts, field if stored else None
            )
        minimum, sums = found
        field.ravel()[self._closed] = kept
        change, square, gain, loss = (math.fsum(sums[:, kind].flat) for kind in range(4))
        return SolveReport(
            update_norm=math.sqrt(change / square) if square > 0 else 0.0,
            mass_balance=(gain - loss) / gain if gain > 0 else 0.0,
            minimum=minimum,
            undershoot=-minimum / math.sqrt(square / field.size) if minimum < 0 and square > 0 else 0.0,
            cycles=cycles,
        )

    def _first_descent(self, terms, field, source, rate, uptake, threads: int) -> float:
        """Load the equations and go down the first cycle; the smallest sink of an open voxel.

        Nothing is written outside the levels before the inputs are known to be physical.
        """
        unphysical, stray, least = multigrid.descend(self._levels, terms, threads)
        if unphysical:
            term("field", field)
            term("source", source)
            for name, values in (("decay", rate), ("uptake", uptake)):
                if values.size:
                    term(name, values)
        if stray:
            self._refuse_stray(source)
        if least > 0:
            return least
        sinks = [sink for sink in (rate, uptake) if sink.size]
        if self._witnessed(sinks):
            return least
        closed, witnesses = sinkless_pockets(self._levels[0], source, sinks)
        if closed.size:
            self._closed, self._reopened = closed, self._levels[0].relative_of(closed)
            multigrid_faces.set_voxels(self._levels, closed, np.zeros(closed.size, np.float32), threads)
            return multigrid.descend(self._levels, terms, threads)[2]
        self._witnesses, self._unwitnessed = witnesses, NO_VOXELS
        return least

    def _witnessed(self, sinks: list[np.ndarray]) -> bool:
        """Whether the witnesses, and sinks near the voxels that changed since, tell that each pocket has a sink."""
        if self._witnesses is None or not sinks:
            return False
        there = sum(sink.ravel()[self._witnesses] for sink in sinks) > 0
        self._unwitnessed = np.union1d(self._unwitnessed, self._witnesses[~there])
        self._witnesses = self._witnesses[there]
        if self._unwitnessed.size:
            found = multigrid_pockets.sinks_near(self._levels[0], self._unwitnessed, sinks, SMALL_POCKET)
            if found is None:
                return False
            self._witnesses, self._unwitnessed = np.union1d(self._witnesses, found), NO_VOXELS
        return True

    def _refuse_stray(self, source: np.ndarray) -> None:
        stray = float(source[~self._levels[0].openness()].max(initial=0.0))
        if stray > 0:
            raise FieldError(
                Fault(
                    "a source lies in impermeable voxels",
                    allowed="source 0 where the relative diffusivity is 0",
                    given=f"a source of {stray:g} per minute",
                    remedy="move the source into a neighbouring open voxel, or open the voxel",
                )
            )

    def _open_closed(self) -> None:
        """Open the voxels that the last solve had to close, because no sink was reached from them."""
        if self._closed.size:
            multigrid_faces.set_voxels(self._levels, self._closed, self._reopened, self.threads)
            self._closed = NO_VOXELS


def steady_field(
    tissue_or_mask,
    source,
    *,
    diffusivity: float,
    decay,
    spacing: float,
    field=None,
    uptake=None,
    half_saturation: float = 0.0,
    relative_diffusivity: Mapping[int, float] | None = None,
    tolerance: float = 1e-4,
    cycles: int | None = None,
    threads: int = 1,
) -> np.ndarray:
    """Steady concentration of a substance that diffuses, decays and is taken up.

    Parameters
    ----------
    tissue_or_mask : array_like [z, y, x]
        bool: open voxels; or integer tissue codes, with `relative_diffusivity`.
    source : array_like [z, y, x]
        Concentration per minute, 0 in impermeable voxels.
    diffusivity, decay, spacing :
        um2/min; 1/min (number or array [z, y, x]); voxel edge in um.
    field : array_like [z, y, x], optional
        First guess; not changed.
    uptake, half_saturation :
        q (array [z, y, x], concentration per minute) and K (concentration) of uptake q c / (K + c).
    relative_diffusivity : mapping of tissue code to number, optional
        Diffusivity of each tissue relative to `diffusivity`; 0 is impermeable.
    tolerance : float
        Error of the solution of the discrete equations (relative L2) at which to stop, as estimated from how
        fast the changes from cycle to cycle fall.
    cycles : int, optional
        V-cycles to do, whatever the error: 2 leave about 1e-3 and are the fastest.
    threads : int
        Threads to use; the result does not depend on it.

    Returns
    -------
    float32 [z, y, x], 0 in impermeable voxels.

    Raises
    ------
    FieldError
        If an input is not physical, there is no steady state, or the cycles do not converge.

    Examples
    --------
    >>> import numpy as np
    >>> source = np.zeros((9, 9, 9))
    >>> source[4, 4, 4] = 6.0
    >>> c = steady_field(source >= 0, source, diffusivity=300.0, decay=0.15, spacing=10.0)
    >>> round(float(0.15 * c.sum()), 3)
    6.0
    """
    codes, relative = relative_by_code(np.asarray(tissue_or_mask), relative_diffusivity)
    solver = FieldSolver(relative, spacing, diffusivity, threads, codes=codes)
    guess = np.zeros(solver.shape, np.float32) if field is None else field
    field = np.array(term("field", guess, solver.shape))
    terms = {"uptake": uptake, "half_saturation": half_saturation}
    positive("tolerance", tolerance, "relative L2 error")
    if cycles is not None:
        solver.solve(field, source, decay, cycles=cycles, **terms)
        return field
    change = solver.solve(field, source, decay, cycles=2, **terms).update_norm
    for _ in range(STEADY_CYCLES - 2):
        before, change = change, solver.solve(field, source, decay, cycles=1, **terms).update_norm
        pace = max(STEADY_PACE, change / before if before > 0 else 0.0)
        if change < STEADY_FLOOR or (pace < 1 and change * pace / (1 - pace) < tolerance):
            return field
    raise FieldError(
        Fault(
            f"the steady field was not reached in {STEADY_CYCLES} cycles",
            allowed=f"an estimated relative error below {tolerance:g}",
            given=f"a last relative change of {change:.2g}",
            remedy="check the units of diffusivity, decay and half_saturation, or give a number of cycles",
        )
    )
