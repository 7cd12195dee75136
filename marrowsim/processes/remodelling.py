"""Bone remodelling: resorption by osteoclasts, formation by osteoblasts, release of TGF-beta."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from marrowsim import tissues
from marrowsim._engine import osteoblasts, osteoclasts
from marrowsim._engine.rng import Stream, uniform
from marrowsim.config import Config
from marrowsim.parameters import parameter
from marrowsim.processes import bone_start
from marrowsim.processes.base import Clock, ShippedProcess
from marrowsim.processes.cavities import Cavities
from marrowsim.seeding import new_cells
from marrowsim.state import State, Status
from marrowsim.units import (
    Concentration,
    Fraction,
    In,
    Length,
    PositiveDuration,
    PositiveLength,
    Rate,
    SurfaceDensity,
)

SIGNAL, RELEASED = "rankl", "tgf_beta"
LEAST_VIGOUR = 1.0 / 3.0
"""Share of an osteoclast's life and depth that is left without the osteoclastogenic signal."""
FUSION_LAYER = 10.0
"""Width (um) of the layer of marrow beside bone in which `fusion_rate` holds. In a voxel beside bone it is the share
of the layer in the voxel's edge, so that as many osteoclasts come to an area of bone at any edge."""
SOLID = tissues.lookup({tissues.BONE: 1}, np.uint8)

Speed = Annotated[float, In("um/min")]
Volume = Annotated[float, In("um^3/min")]


class Remodelling(ShippedProcess):
    """Precursors at the bone surface fuse with others near them into an osteoclast at rate k H(L), H(L) = L^n / (K^n +
    L^n), L the effective osteoclastogenic signal. It lives for T V in the mean, V = 1/3 + 2/3 H(L) / H(1), takes
    mineral from the bone that it touches, the most exposed first and not deeper than d V, and steps along the surface
    where it finds none. An emptied voxel is marrow, and a cavity. After a time of reversal an osteoblast sets to work
    in it, beside bone, fills it with mineral, and goes on to the next one outwards; full voxels are bone, and some
    osteoblasts stay in them as osteocytes. Cells that inhibit osteoblasts keep them out of cavities within reach and
    shorten their lives. Bone that was resorbed releases its TGF-beta.

    A voxel of the surface with f faces on bone has an area of sqrt(f) h^2, and is filled sqrt(f) times as fast, so that
    neither depends much on how the surface lies in the lattice. Rules: Araujo 2014 Cancer Res 74:2391, Buenzli 2012
    Bone 50:378, Pivonka 2008.
    """

    name: ClassVar[str] = "remodelling"
    reads: ClassVar[tuple[str, ...]] = ("cells", "fields", "tissue", "occupant")
    writes: ClassVar[tuple[str, ...]] = ("cells", "occupant", "tissue")

    enabled: bool = False
    """whether bone is remodelled; without it bone stays as it is"""

    fusion_rate: Rate = parameter(
        "0.27 /d", "rate at which a precursor within 10 um of bone fuses, at high L, with enough others near it",
        symbol="k_OC", span="0.1-10 /d", mark="C",
        source="calibrated: keeps 30 osteoclasts /mm2 of bone in health (calibration fusion-rate)",
    )  # fmt: skip
    fusion_partners: Annotated[int, Field(ge=1, le=20)] = parameter(
        2, "precursors that a founder fuses with", span="2-4", source="3-5 meet: gibbogle/bone-abm", mark="VC/E"
    )
    fusion_reach: PositiveLength = parameter(
        "50 um", "distance within which they are", span="15-50 um", source="the size of a large osteoclast", mark="E"
    )
    squeeze_rate: Rate = parameter(
        "1 /h", "rate at which a precursor changes places with a motile cell beside it", span="0.1-2 /h",
        source="half of its hop rate: precursors and osteoclasts pass between tumour cells", mark="E",
    )  # fmt: skip
    rankl_half: Annotated[float, In("1", low=1e-6)] = parameter(
        1.5, "signal L at half of the fusion rate", symbol="K_L", span="0.5-2",
        mark="C/E",
        source="calibrated by hand, with the RANKL of tumour cells: lets a tumour that raises L fivefold treble the "
        "rate; of the type of Pivonka 2008",
    )  # fmt: skip
    rankl_exponent: Annotated[float, In("1", low=0.1, high=20.0)] = parameter(
        2.0, "Hill coefficient of L", symbol="n_L", span="1-4", mark="E"
    )
    rankl_blocked: Fraction = parameter(0.0, "share of the signal L that is blocked", symbol="E_RANKL", mark="E")
    resorption_rate: Volume = parameter(
        "8000 um^3/d", "bone that an osteoclast resorbs", symbol="v_OC", span="3e3-1e5 um^3/d",
        source="balances formation with 267 osteoclasts /mm3; at most 5.8e5 um3/d in the code of gibbogle/bone-abm",
        mark="C/VC",
    )  # fmt: skip
    osteoclast_life: PositiveDuration = parameter(
        "12 d", "mean life of an osteoclast at L = 1", symbol="T_OC", span="5-20 d",
        source="12 d in the code of gibbogle/bone-abm; 14 d in man", mark="VC/V",
    )  # fmt: skip
    erosion_depth: PositiveLength = parameter(
        "20 um", "depth at which an osteoclast stops at L = 1", span="10-30 um; man 40-60 um",
        source="mouse trabeculae of 50 um are not perforated in health", mark="E",
    )  # fmt: skip
    osteoclast_speed: Speed = parameter(
        "20 um/h", "speed at which an osteoclast steps along bone that it does not resorb", span="5-100 um/h", mark="E"
    )
    reversal_time: PositiveDuration = parameter(
        "2 d", "time from resorption to the earliest formation", symbol="t_rev", span="2-6 d; man 10-30 d",
        source="with the mean wait for an osteoblast 4 d", mark="E",
    )  # fmt: skip
    recruitment_rate: Rate = parameter(
        "0.5 /d", "rate at which an osteoblast sets to work in a cavity voxel beside bone from then on", symbol="k_OB",
        span="0.1-2 /d", mark="E",
    )  # fmt: skip
    apposition_rate: Speed = parameter(
        "1.5 um/d", "growth of bone along its normal (MAR)", symbol="MAR", span="0.5-3 um/d",
        source="recalled for the mouse; man 0.63 um/d, iliac crest", mark="R/V",
    )  # fmt: skip
    coupling: Fraction = parameter(
        1.0, "share of the cavity voxels that osteoblasts fill", source="one in health, by definition", mark="E"
    )
    trapped_share: Fraction = parameter(
        0.04, "share of the osteoblasts done with a voxel that stay in it as osteocytes", span="0.03-0.2",
        source="keeps 40,000 osteocytes in a mm3 of bone", mark="C/R",
    )  # fmt: skip
    lining_share: Fraction = parameter(
        0.1, "share of those without a cavity to go on to that become lining cells", span="0.05-0.4", mark="E"
    )
    tumour_reach: Length = parameter(
        "50 um", "distance within which tumour cells inhibit osteoblasts", span="20-100 um", mark="E"
    )
    osteoblast_recruitment_factor: Fraction = parameter(
        0.1, "factor on recruitment there", span="0.05-1",
        source="reduced osteoblast activity in osteolysis: Gregory 2013 (direction)", mark="V/E",
    )  # fmt: skip
    osteoblast_life_factor: Annotated[float, In("1", low=1e-3, high=1.0)] = parameter(
        0.1, "factor on the life of osteoblasts there", span="0.05-1", source="as recruitment", mark="V/E"
    )
    matrix_tgf_beta: Concentration = parameter(
        "16 nM", "TGF-beta in bone", symbol="c_TGF", span="8-40 nM",
        source="200 ug/kg: Bonewald & Mundy 1990 Clin Orthop Relat Res 250:261", mark="V/C",
    )  # fmt: skip
    release_time: PositiveDuration = parameter(
        "1 h", "time over which a resorbed voxel releases it at the full rate", span="0.5-6 h", mark="E"
    )
    tail_time: PositiveDuration = parameter(
        "3 d", "time over which it does so at a share of that rate, from then on", symbol="t_T", span="1-5 d",
        source="4320 min in the code of Bishop 2024", mark="VC",
    )  # fmt: skip
    tail_share: Fraction = parameter(
        0.1, "that share", span="0.03-0.3", source="0.1 in the code of Bishop 2024", mark="VC"
    )
    osteoclast_density: SurfaceDensity = parameter(
        "30 /mm^2", "osteoclasts on the bone surface at the start (N.Oc/BS)", symbol="n_OC", span="10-90 /mm^2",
        source="250 /mm3 in the mouse, 2.7 % of its surface at 900 um2 each: 2 % of the bone a day", mark="R/C",
    )  # fmt: skip

    def prepare(self, state: State, clock: Clock) -> None:
        """Start in the midst of remodelling: osteoclasts at work, cavities in reversal and being filled."""
        bone_start.seed_bone_cells(state, self)
        self._release(state, Cavities(state))

    def update(self, state: State, clock: Clock) -> None:
        """Recruit, form, fuse, resorb, release."""
        bone = Cavities(state)
        bone.forget_lost()
        self._form(state, bone, clock)
        self._recruit(state, bone, clock)
        self._fuse(state, clock)
        self._resorb(state, bone, clock)
        self._release(state, bone)

    def signal_scale(self, state: State) -> float:
        """Factor from the field L to the effective signal: what a block and drugs leave of it."""
        return (1.0 - self.rankl_blocked) / (1.0 + state.inhibition("rankl"))

    def vigour(self) -> tuple[float, float]:
        """V without signal over V at L = K_L, and V at L = K_L."""
        at_half = LEAST_VIGOUR + (1.0 - LEAST_VIGOUR) * 0.5 * (1.0 + self.rankl_half**self.rankl_exponent)
        return LEAST_VIGOUR / at_half, at_half

    @staticmethod
    def rows_of(state: State, cell: str) -> np.ndarray:
        """Rows of the cells of a type on the lattice, in the order of their ids: int32."""
        cells = state.cells
        rows = np.flatnonzero((cells.type == state.config.code(cell)) & (cells.site >= 0))
        return rows[np.argsort(cells.id[rows])].astype(np.int32)

    @staticmethod
    def _inhibitors(config: Config) -> np.ndarray:
        return config.family("tumour").astype(np.uint8)

    def _reach(self, state: State) -> float:
        return self.tumour_reach / state.config.geometry.voxel

    @staticmethod
    def _yields(config: Config) -> np.ndarray:
        """Types whose free cells precursors and osteoclasts push aside: those that move, but for precursors."""
        yields = np.zeros(256, np.uint8)
        yields[: len(config.cells)] = [cell.motile for cell in config.cells.values()]
        yields[config.code("ocp")] = 0
        return yields

    def _fuse(self, state: State, clock: Clock) -> None:
        """Precursors pass between other cells, and become osteoclasts, smallest claim first."""
        cells, config = state.cells, state.config
        precursors = self.rows_of(state, "ocp")
        osteoclasts.squeeze(
            clock.seed, clock.step, clock.dt, precursors, cells.id, cells.type, cells.status, cells.site,
            state.occupant, self._yields(config), self.squeeze_rate,
        )  # fmt: skip
        founders, claims = osteoclasts.found(
            clock.seed, clock.step, clock.dt, precursors, cells.id, cells.site, state.tissue, SOLID,
            state.fields[SIGNAL], self.signal_scale(state), self.fusion_rate * FUSION_LAYER / config.geometry.voxel,
            self.rankl_half, self.rankl_exponent,
        )  # fmt: skip
        fused, spent = osteoclasts.fuse(
            founders[np.lexsort((cells.id[founders], claims))], cells.id, cells.type, cells.site, state.occupant,
            self.fusion_partners, self.fusion_reach / config.geometry.voxel, config.code("osteoclast"),
        )  # fmt: skip
        state.count("fused:ocp", len(fused))
        state.tally("spent in fusion", spent)
        state.remove_cells(spent)

    def _resorb(self, state: State, bone: Cavities, clock: Clock) -> None:
        """Osteoclasts die, resorb and step; what they opened is marrow, and a cavity."""
        cells, edge = state.cells, state.config.geometry.voxel
        least, at_half = self.vigour()
        signal = (self.signal_scale(state), self.rankl_half, self.rankl_exponent, least)
        rows = self.rows_of(state, "osteoclast")
        life = at_half * self.osteoclast_life / (1.0 + state.inhibition("osteoclast survival"))
        dead = osteoclasts.expire(
            clock.seed, clock.step, clock.dt, rows, cells.id, cells.site, state.fields[SIGNAL], *signal, life
        ).view(bool)  # fmt: skip
        state.tally("died", rows[dead])
        state.remove_cells(rows[dead])
        rows = self.rows_of(state, "osteoclast")
        opened = [
            osteoclasts.resorb(
                part.seed, part.step, part.substep, part.dt, rows, cells.id, cells.type, cells.status, cells.site,
                self._yields(state.config), state.occupant, state.tissue, SOLID, tissues.IS_ENTERABLE,
                tissues.MARROW, bone.mineral, bone.depth, state.fields[SIGNAL], *signal,
                self.resorption_rate * part.dt / edge**3, at_half * self.erosion_depth / edge,
                self.osteoclast_speed / edge,
            )
            for part in clock.split(self.osteoclast_speed / edge)
        ]  # fmt: skip
        self._open(state, bone, np.concatenate(opened), clock)

    def _open(self, state: State, bone: Cavities, voxels: np.ndarray, clock: Clock) -> None:
        if len(voxels) == 0:
            return
        buried = state.occupant.reshape(-1)[voxels]
        buried = buried[buried >= 0]
        # Others are those that have stepped into it since, or were pushed there.
        buried = buried[state.cells.type[buried] == state.config.code("osteocyte")]
        state.tally("freed by resorption", buried)
        state.remove_cells(buried)
        state.tally_voxels("resorbed:osteoclast", voxels)
        state.tissue_changed(voxels)
        coupled = uniform(clock.seed, Stream.STREAM_RECRUITMENT, clock.step, voxels, 1) < self.coupling
        bone.enter(voxels, clock.step, clock.step + math.ceil(self.reversal_time / clock.dt), coupled)

    def _recruit(self, state: State, bone: Cavities, clock: Clock) -> None:
        """Osteoblasts set to work in cavities; lining cells that stand there become them."""
        cells, config = state.cells, state.config
        ready = (bone.column("ready") <= clock.step) & (bone.column("coupled") > 0)
        pits = bone.column("pit")[ready]
        gives_way = np.zeros(256, np.uint8)
        gives_way[config.code("lining")] = 1
        works = osteoblasts.recruit(
            clock.seed, clock.step, clock.dt, pits, cells.type, state.occupant, state.tissue, SOLID, gives_way,
            self.recruitment_rate, self._inhibitors(config), self._reach(state), self.osteoblast_recruitment_factor,
        )  # fmt: skip
        pits = pits[works.view(bool)]
        rows = state.occupant.reshape(-1)[pits]
        cells.type[rows[rows >= 0]] = config.code("osteoblast")
        state.tally("recruited", rows[rows >= 0])
        state.tally("recruited", new_cells(state, config.code("osteoblast"), pits[rows < 0], Status.FREE))

    def _form(self, state: State, bone: Cavities, clock: Clock) -> None:
        """Osteoblasts beside inhibiting cells are lost; the others fill their voxels, and full ones become bone."""
        cells, config, edge = state.cells, state.config, state.config.geometry.voxel
        rows = self.rows_of(state, "osteoblast")
        usual = config.cells["osteoblast"].death_rate
        lost = osteoblasts.lose(
            clock.seed, clock.step, clock.dt, rows, cells.id, cells.type, cells.site, state.occupant,
            usual * (1.0 / self.osteoblast_life_factor - 1.0), self._inhibitors(config), self._reach(state),
        ).view(bool)  # fmt: skip
        state.tally("driven out", rows[lost])
        state.remove_cells(rows[lost])
        rows = self.rows_of(state, "osteoblast")
        rows = rows[bone.depth.reshape(-1)[cells.site[rows]] > 0]
        full = osteoblasts.form(
            rows, cells.site, state.tissue, SOLID, bone.mineral, self.apposition_rate * clock.dt / edge
        ).view(bool)  # fmt: skip
        rows = rows[full]
        if len(rows) == 0:
            return
        voxels = cells.site[rows].astype(np.int64)
        level = bone.depth.reshape(-1)[voxels]
        state.tissue.reshape(-1)[voxels] = tissues.BONE
        bone.leave(voxels)
        state.tally_voxels("formed:osteoblast", voxels)
        state.tissue_changed(voxels)
        self._settle(state, bone, rows, level, clock)

    def _settle(self, state: State, bone: Cavities, rows: np.ndarray, level: np.ndarray, clock: Clock) -> None:
        """What becomes of osteoblasts whose voxels are bone now."""
        cells, config = state.cells, state.config
        fates = osteoblasts.settle(
            clock.seed, clock.step, rows, cells.id, cells.site, state.occupant, state.tissue, tissues.IS_ENTERABLE,
            bone.depth, bone.column("pit")[bone.column("coupled") > 0], level, self.trapped_share, self.lining_share,
        )  # fmt: skip
        for fate, what, cell in (
            (osteoblasts.Fate.FATE_TRAPPED, "trapped", "osteocyte"),
            (osteoblasts.Fate.FATE_RESTS, "came to rest", "lining"),
        ):
            chosen = rows[fates == fate]
            state.tally(what, chosen)
            cells.type[chosen] = config.code(cell)
        gone = rows[fates == osteoblasts.Fate.FATE_GONE]
        state.tally("done", gone)
        state.remove_cells(gone)

    def _release(self, state: State, bone: Cavities) -> None:
        """What cavities give to TGF-beta; those that are not to be filled are marrow like any when that is over."""
        field = state.config.fields[RELEASED]
        content = self.matrix_tgf_beta * 1e-3 / field.amount_per_unit
        bone.release(RELEASED, content, self.release_time, self.tail_time, self.tail_share)
        age = (state.step - bone.column("since")) * state.config.time.step
        over = (bone.column("coupled") == 0) & (age >= self.release_time + self.tail_time)
        if over.any():
            bone.leave(bone.column("pit")[over])
