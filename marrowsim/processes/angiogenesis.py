"""New vessels: sprouting, anastomosis, flow, regression and collapse."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, ClassVar

import numpy as np

from marrowsim import tissues
from marrowsim._engine import census
from marrowsim._engine import sprouting as kernel
from marrowsim.parameters import parameter
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.processes.sprouts import NONE, Sprouts
from marrowsim.state import State, Status
from marrowsim.units import Concentration, Fraction, In, Length, Number, PositiveDuration, PositiveLength, Rate

FACTOR = "vegf"
TIP = "tip"
COLLAPSIBLE = tissues.lookup({tissues.SINUSOID: 1, tissues.CAPILLARY: 1}, np.uint8)


class Angiogenesis(ShippedProcess):
    """Free voxels at the vessel wall become tips at rate k V / (V + V*) where VEGF V > V* and no other tip is near.
    Tips hop at rate v / h to face neighbours with weights exp(kappa (V_j - V) / (V + V*)), times f = 4 (L / h - 1)
    straight on, push single cells aside, leave a stalk, and branch behind them. A tip that meets a vessel or another
    sprout joins it, and the way between the two vessels gets flow a time t_lum later; progenitors that join the wall
    halve it. Endothelium without flow regresses where VEGF is low; vessels in a dense crowd collapse.

    A stalk is tissue without room for cells and without blood. Rules: Anderson & Chaplain 1998 Bull Math Biol 60:857,
    thresholds: Qutub & Popel 2009 BMC Syst Biol 3:13.
    """

    name: ClassVar[str] = "angiogenesis"
    reads: ClassVar[tuple[str, ...]] = ("cells", "fields", "tissue", "slots")
    writes: ClassVar[tuple[str, ...]] = ("cells", "occupant", "tissue")

    tip_rate: Rate = parameter(
        "0.003 /d", "rate at which 100 um2 of vessel wall sends out a tip, at high VEGF", symbol="k_tip",
        span="0.001-0.1 /d", source="vessels of a hypoxic nodule triple in 12 d; modelling choice", mark="E",
    )  # fmt: skip
    threshold: Concentration = parameter(
        "0.011 nM", "VEGF that activates tips", symbol="V*", span="0.002-0.045 nM",
        source="0.5 ng/mL: Qutub & Popel 2009 BMC Syst Biol 3:13 table 3", mark="V",
    )  # fmt: skip
    spacing: PositiveLength = parameter(
        "50 um", "distance within which a tip keeps others from setting out (lateral inhibition)", symbol="d_tip",
        span="20-100 um", source="5 cells", mark="E",
    )  # fmt: skip
    tip_speed: Annotated[float, In("um/min", low=1e-6)] = parameter(
        "6 um/h", "speed of a tip", symbol="v_tip", span="5-11 um/h",
        source="6.2 um/h: Qutub & Popel 2009 BMC Syst Biol 3:13 table 3", mark="V",
    )  # fmt: skip
    sensitivity: Number = parameter(
        20.0, "kappa in the weight of a direction", symbol="kappa_V", span="5-50",
        source="as chemotaxis to CXCL12: with a decay length of 173 um a side is 3 times as likely uphill", mark="E",
    )  # fmt: skip
    straight_length: PositiveLength = parameter(
        "100 um", "mean length between bends without a gradient", symbol="L", span="30-200 um",
        source="sprouts are straight over several cells; modelling choice", mark="E",
    )  # fmt: skip
    branching: Annotated[float, In("1/um")] = parameter(
        "0.002 /um", "branches for each length that a tip goes, where no tip is near", symbol="p_br",
        span="5e-4 to 0.01 /um", source="0.02 a hop of 10 um", mark="E",
    )  # fmt: skip
    shortest: Length = parameter(
        "30 um", "length of a sprout from which on it can join a vessel", source="modelling choice", mark="E"
    )
    lumen_time: PositiveDuration = parameter(
        "24 h", "time from anastomosis to flow", symbol="t_lum", span="12-72 h",
        source="vessels of marrow remodel within hours to days: Reismann 2017 Nat Commun", mark="V/E",
    )  # fmt: skip
    progenitor_factor: Fraction = parameter(
        0.5, "factor on the time to flow of a sprout that progenitors joined", span="0.3-1",
        source="modelling choice", mark="E",
    )  # fmt: skip
    regression_share: Fraction = parameter(
        0.2, "VEGF over V* below which endothelium without flow regresses, and tips rest", span="0.1-0.5", mark="E"
    )
    regression_time: PositiveDuration = parameter(
        "7 d", "age from which on it does", span="3-14 d", source="modelling choice", mark="E"
    )
    collapse_rate: Rate = parameter(
        "0.0714 /d", "rate of collapse of a vessel in a crowd", symbol="k_col", span="0-0.2 /d",
        source="1/14 d; central marrow stays vascular in AML: Duarte 2018 Cell Stem Cell", mark="V/E",
    )  # fmt: skip
    collapse_crowd: Fraction = parameter(
        0.9, "share of the voxels around a vessel that the crowd fills above which it can collapse", mark="E"
    )

    def update(self, state: State, clock: Clock) -> None:
        """Open, regress, collapse and set out once a step; hop, branch and join in sub-steps."""
        sprouts = Sprouts(state)
        if len(state.luminal_sites) == 0 and len(sprouts.voxels("voxel")) + len(sprouts.tips("id")) == 0:
            return
        self._forget_lost_tips(state, sprouts)
        self._open(state, sprouts, clock)
        self._regress(state, sprouts, clock)
        self._collapse(state, sprouts, clock)
        self._set_out(state, sprouts, clock)
        self._take_up(state, sprouts, clock)
        for part in clock.split(self.tip_speed / state.config.geometry.voxel):
            if len(sprouts.tips("id")):
                self._grow(state, sprouts, part)
                self._anastomose(state, sprouts, part)

    @staticmethod
    def _tip_rows(state: State, sprouts: Sprouts) -> np.ndarray:
        """Rows of the tips in the cell table, in the order of the table of tips: int32."""
        rows = np.flatnonzero(state.cells.type == state.config.code(TIP)).astype(np.int32)
        rows = rows[np.argsort(state.cells.id[rows])]
        return rows[np.isin(state.cells.id[rows], sprouts.tips("id"))]

    def _forget_lost_tips(self, state: State, sprouts: Sprouts) -> None:
        alive = state.cells.id[self._tip_rows(state, sprouts)]
        sprouts.drop_tips(np.flatnonzero(~np.isin(sprouts.tips("id"), alive)))

    @staticmethod
    def _steps(time: float, state: State) -> int:
        return max(1, math.ceil(time / state.config.time.step - 1e-9))

    @staticmethod
    def _change(state: State, voxels: np.ndarray, codes: np.ndarray | int) -> None:
        if len(voxels):
            state.tissue.reshape(-1)[voxels] = codes
            state.tissue_changed(voxels)

    def _open(self, state: State, sprouts: Sprouts, clock: Clock) -> None:
        """The vessels that are due get flow."""
        due = np.flatnonzero((sprouts.voxels("vessel") != NONE) & (sprouts.voxels("opens") <= clock.step))
        voxels = sprouts.voxels("voxel")[due]
        self._change(state, voxels, tissues.LUMEN_OF_SITE[state.geometry.tissue.reshape(-1)[voxels]])
        sprouts.drop(due)

    def _regress(self, state: State, sprouts: Sprouts, clock: Clock) -> None:
        """Old endothelium without flow becomes tissue again where VEGF is low, and tips cut off by that die."""
        low = self.regression_share * self.threshold
        latest = clock.step - self._steps(self.regression_time, state)
        factor = state.fields[FACTOR].reshape(-1)
        idle = (sprouts.voxels("laid") <= latest) & (sprouts.voxels("vessel") == NONE)
        gone = np.flatnonzero(idle & (factor[sprouts.voxels("voxel")] < low))
        voxels = sprouts.voxels("voxel")[gone]
        self._change(state, voxels, tissues.TISSUE_OF_SITE[state.geometry.tissue.reshape(-1)[voxels]])
        sprouts.drop(gone)
        rows = self._tip_rows(state, sprouts)
        resting = (state.cells.born[rows] <= latest) & (factor[state.cells.site[rows]] < low)
        dead = resting & (sprouts.find(sprouts.tips("behind")) == NONE)
        if len(gone):
            ends = np.array([sprouts.path(int(behind))[1] for behind in sprouts.tips("behind")], np.int64)
            dead |= ~self._is_lumen(state, ends)
        self._remove_tips(state, sprouts, np.flatnonzero(dead), rows, "regressed")

    @staticmethod
    def _is_lumen(state: State, voxels: np.ndarray | int) -> np.ndarray:
        """Whether blood flows in these voxels; no in -1."""
        return (voxels >= 0) & tissues.IS_LUMEN[state.tissue.reshape(-1)[voxels]].astype(bool)

    @staticmethod
    def _remove_tips(state: State, sprouts: Sprouts, which: np.ndarray, rows: np.ndarray, what: str) -> None:
        if len(which):
            sprouts.drop_tips(which)
            state.tally(what, rows[which])
            state.remove_cells(rows[which])

    def _collapse(self, state: State, sprouts: Sprouts, clock: Clock) -> None:
        """Vessels in a crowd lose their lumen; cells arrested there go into the blood."""
        if self.collapse_rate == 0:
            return
        voxels = kernel.collapsing(
            clock.seed, clock.step, clock.dt, state.luminal_sites, state.tissue, COLLAPSIBLE, tissues.IS_ENTERABLE,
            state.occupant, state.cells.type, state.config.column("crowding"), self.collapse_crowd, self.collapse_rate,
        )  # fmt: skip
        if len(voxels) == 0:
            return
        rows = state.occupant.reshape(-1)[voxels]
        state.send_into_blood("released into blood", rows[rows >= 0])
        self._change(state, voxels, tissues.SPROUT)
        sprouts.lay(voxels, self._lumen_beside(state, voxels), NONE)

    @staticmethod
    def _lumen_beside(state: State, voxels: np.ndarray) -> np.ndarray:
        """A lumen voxel at a face of each voxel, or -1."""
        faces = census.face_sites(voxels, *state.tissue.shape)
        lumen = Angiogenesis._is_lumen(state, faces)
        first = faces[np.arange(len(faces)), lumen.argmax(axis=1)]
        return np.where(lumen.any(axis=1), first, NONE)

    def _set_out(self, state: State, sprouts: Sprouts, clock: Clock) -> None:
        """New tips at the vessel wall; of those that are near one another, the smallest claim wins."""
        if self.tip_rate == 0 or state.fields[FACTOR].max() <= self.threshold:
            return
        found = kernel.set_out(
            clock.seed, clock.step, clock.dt, state.luminal_sites, state.tissue, tissues.IS_LUMEN,
            tissues.IS_ENTERABLE, state.occupant, state.slots, state.fields[FACTOR], self.threshold,
            self.tip_rate * state.config.geometry.voxel**2 / 100.0, clock.threads,
        )  # fmt: skip
        voxels, roots, directions, _ = found[:, np.lexsort((found[0], found[3]))]
        tips = list(state.cells.site[self._tip_rows(state, sprouts)])
        chosen = []
        for index, voxel in enumerate(voxels):
            if self._is_clear(state, voxel, tips):
                tips.append(voxel)
                chosen.append(index)
        self._add_tips(state, sprouts, voxels[chosen], directions[chosen], None, roots[chosen], roots[chosen])

    def _is_clear(self, state: State, voxel: int, tips: Iterable[int]) -> bool:
        """Whether no tip is within the spacing of a voxel."""
        tips = np.asarray(tips, np.int64)
        apart = np.stack(np.unravel_index(tips, state.tissue.shape)) - np.stack(
            np.unravel_index([voxel], state.tissue.shape)
        )
        reach = self.spacing / state.config.geometry.voxel
        return not bool(((apart**2).sum(axis=0) <= reach**2).any())

    @staticmethod
    def _add_tips(state: State, sprouts: Sprouts, voxels, directions, trees, roots, behind) -> None:
        if len(voxels) == 0:
            return
        rows = state.add_cells(state.config.code(TIP), voxels, 0.0)
        state.cells.heading[rows] = directions
        ids = state.cells.id[rows].copy()
        sprouts.add_tips(ids, ids if trees is None else trees, roots, behind)
        state.tally("set out", rows)

    def _take_up(self, state: State, sprouts: Sprouts, clock: Clock) -> None:
        """Progenitors at a sprout become part of its wall, and it gets flow sooner."""
        config, cells = state.config, state.cells
        rates = config.column("incorporation_rate")
        if not rates.any() or len(sprouts.voxels("voxel")) + len(sprouts.tips("id")) == 0:
            return
        rows = np.flatnonzero((rates > 0)[cells.type] & (cells.status == Status.FREE)).astype(np.int32)
        rows = rows[np.argsort(cells.id[rows])]
        contact = kernel.join(
            clock.seed, clock.step, clock.dt, rows, cells.id, cells.type, cells.site, state.occupant, state.tissue,
            state.slots, tissues.SPROUT, config.code(TIP), rates,
        )  # fmt: skip
        rows, contact = rows[contact >= 0], contact[contact >= 0]
        of_tip = {int(cells.site[row]): index for index, row in enumerate(self._tip_rows(state, sprouts))}
        trees, vessels = np.full(len(rows), NONE), np.full(len(rows), NONE)
        for index, (voxel, place) in enumerate(zip(contact, sprouts.find(contact), strict=True)):
            if place != NONE:
                trees[index], vessels[index] = sprouts.voxels("tree")[place], sprouts.voxels("vessel")[place]
            elif int(voxel) in of_tip:
                trees[index] = sprouts.tips("tree")[of_tip[int(voxel)]]
        living = trees != NONE  # not the remains of a collapsed vessel
        rows, contact, vessels, trees = rows[living], contact[living], vessels[living], trees[living]
        if len(rows) == 0:
            return
        self._hasten(sprouts, clock, trees, vessels)
        voxels = cells.site[rows].astype(np.int64)
        state.tally("laid vessel wall", rows)
        state.tally("joined a vessel", rows)
        state.remove_cells(rows)
        self._change(state, voxels, tissues.SPROUT)
        sprouts.lay(voxels, contact, trees, joined=1)
        for voxel, vessel in zip(voxels[vessels != NONE], vessels[vessels != NONE], strict=True):
            opens = sprouts.voxels("opens")[sprouts.voxels("vessel") == vessel][0]
            place = sprouts.find(np.array([voxel]))
            sprouts.voxels("vessel")[place], sprouts.voxels("opens")[place] = vessel, opens
        sprouts.help(trees)

    def _hasten(self, sprouts: Sprouts, clock: Clock, trees: np.ndarray, vessels: np.ndarray) -> None:
        """The vessels that wait for flow in trees that no progenitor had joined yet wait shorter."""
        first = ~np.isin(trees, sprouts.voxels("helped")) & (vessels != NONE)
        for vessel in np.unique(vessels[first]):
            members = sprouts.voxels("vessel") == vessel
            left = sprouts.voxels("opens")[members] - clock.step
            sprouts.voxels("opens")[members] = clock.step + np.ceil(left * self.progenitor_factor).astype(np.int32)

    def _grow(self, state: State, sprouts: Sprouts, clock: Clock) -> None:
        """Tips hop, and some branch."""
        cells, config = state.cells, state.config
        edge = config.geometry.voxel
        rows = self._tip_rows(state, sprouts)
        left, chance = np.empty(len(rows), np.int64), np.empty(len(rows))
        movable = np.array([cell.motile for cell in config.cells.values()], np.uint8)
        kernel.advance(
            clock.seed, clock.step, clock.substep, self.tip_speed / edge * clock.dt, rows, cells.id, cells.type,
            cells.status, cells.heading, cells.site, state.occupant, state.tissue, tissues.IS_ENTERABLE, state.slots,
            movable, state.fields[FACTOR], self.regression_share * self.threshold, self.threshold, self.sensitivity,
            max(1.0, 4.0 * (self.straight_length / edge - 1.0)), tissues.SPROUT, left, chance,
        )  # fmt: skip
        moved = np.flatnonzero(left >= 0)
        if len(moved) == 0:
            return
        sprouts.lay(left[moved], sprouts.tips("behind")[moved], sprouts.tips("tree")[moved])
        sprouts.tips("behind")[moved] = left[moved]
        sprouts.tips("length")[moved] += 1
        state.tally("laid vessel wall", rows[moved])
        state.tissue_changed(left[moved])
        probability = self.branching * edge
        for index in moved[chance[moved] < probability]:
            self._branch(state, sprouts, index, chance[index] / probability)

    def _branch(self, state: State, sprouts: Sprouts, index: int, chance: float) -> None:
        """A new tip beside the first voxel of the stalk that is far enough from all tips."""
        tissue, occupant = state.tissue.reshape(-1), state.occupant.reshape(-1)
        tips = state.cells.site[self._tip_rows(state, sprouts)]
        path = np.array(sprouts.path(int(sprouts.tips("behind")[index]))[0], np.int64)
        around = census.face_sites(path, *state.tissue.shape)
        vacant = (around >= 0) & tissues.IS_ENTERABLE[tissue[around]].view(bool) & (occupant[around] < 0)
        vacant &= ~np.isin(around, state.slots)
        for voxel, faces, free in zip(path, around, vacant, strict=True):
            free &= [bool(ok) and self._is_clear(state, face, tips) for ok, face in zip(free, faces, strict=True)]
            if free.any():
                direction = np.flatnonzero(free)[[int(chance * np.count_nonzero(free))]]
                tree, root = sprouts.tips("tree")[[index]], sprouts.tips("root")[[index]]
                self._add_tips(state, sprouts, faces[direction], direction, tree, root, np.array([voxel]))
                return

    def _anastomose(self, state: State, sprouts: Sprouts, clock: Clock) -> None:
        """Tips that face a vessel or another sprout join it."""
        rows = self._tip_rows(state, sprouts)
        sites = state.cells.site[rows].astype(np.int64)
        faces = census.face_sites(sites, *state.tissue.shape)
        lumen = self._is_lumen(state, faces)
        apart = np.stack(np.unravel_index(np.maximum(faces, 0), state.tissue.shape))
        apart = apart - np.stack(np.unravel_index(sprouts.tips("root"), state.tissue.shape))[:, :, None]
        edge = state.config.geometry.voxel
        lumen &= (apart**2).sum(axis=0) > (self.spacing / edge) ** 2
        place = sprouts.find(faces)
        trees = np.append(sprouts.voxels("tree"), NONE)[place]
        met = (place != NONE) & (trees != sprouts.tips("tree")[:, None])
        order = np.argsort(sites)
        near = order[np.minimum(np.searchsorted(sites, faces, sorter=order), len(sites) - 1)]
        other = np.where(sites[near] == faces, near, NONE)
        met |= (other != NONE) & (sprouts.tips("tree")[other] != sprouts.tips("tree")[:, None])
        able = sprouts.tips("length") * edge >= self.shortest
        done: list[int] = []
        for index in np.flatnonzero(able & (lumen | met).any(axis=1)):
            if index not in done:
                self._try(
                    state, sprouts, clock, index, lumen[index], met[index], faces[index], other[index], sites, done
                )
        self._change(state, sites[done], tissues.SPROUT)
        if done:
            state.tally("laid vessel wall", rows[done])
        self._remove_tips(state, sprouts, np.array(done, np.int64), rows, "joined a vessel")

    def _try(self, state, sprouts, clock, index, lumen, met, faces, other, sites, done: list[int]) -> None:
        """Join the first of the faces of a tip that leads to blood; tips that are thereby stalk go onto `done`."""
        own, end = sprouts.path(int(sprouts.tips("behind")[index]))
        if not self._is_lumen(state, end):
            return
        for direction in np.flatnonzero(lumen | met):
            rival = other[direction] if other[direction] not in done else NONE
            start = int(sprouts.tips("behind")[rival]) if rival != NONE else int(faces[direction])
            across, end = sprouts.path(start)
            if not self._is_lumen(state, end):
                continue
            tips = [index] if rival == NONE else [index, int(rival)]
            for tip in tips:
                sprouts.lay(sites[[tip]], sprouts.tips("behind")[tip], sprouts.tips("tree")[tip])
            done.extend(tips)
            members = sprouts.attached(np.array([*own, *across, *sites[tips]]))
            members = members[sprouts.voxels("vessel")[members] == NONE]
            helped = np.isin(sprouts.voxels("tree")[members], sprouts.voxels("helped")).any()
            time = self.lumen_time * (self.progenitor_factor if helped else 1.0)
            sprouts.voxels("vessel")[members] = sprouts.tips("id")[index]
            sprouts.voxels("opens")[members] = clock.step + self._steps(time, state)
            return
