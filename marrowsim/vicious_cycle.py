"""Loop gain of tumour and bone: how strongly the tumour, by way of the bone that it has resorbed, drives itself."""

from __future__ import annotations

import math

import numpy as np

from marrowsim import tissues
from marrowsim.fieldsolver import steady_field
from marrowsim.processes.fields import by_cell, permeability
from marrowsim.processes.remodelling import RELEASED, SIGNAL
from marrowsim.state import State

TUMOUR = "tumour"


def loop_gain(state: State) -> dict[str, float]:
    """Elasticities of the vicious cycle at this moment, and their product.

    The product is the relative change of the division rate of the tumour that a small relative change of what the
    tumour secretes makes once bone has followed: (d ln r / d ln T) (d ln T / d ln Oc) (d ln Oc / d ln L)
    (d ln L / d ln tumour), T the TGF-beta, Oc the osteoclasts, L the osteoclastogenic signal.

    Returns
    -------
    dict
        "signal from tumour": share of L at the osteoclasts that the tumour secretes. "osteoclasts from signal": of
        fusion and life together, n (1 - H) (1 + v H / V), v H the part of V that follows the signal, since their number
        is in proportion to both.
        "growth from TGF-beta": mean over the tumour cells of g K T / (K + T)^2 / (1 + g_4 a' + g T / (K + T)). "gain":
        the product with d ln T / d ln Oc = 1: T is linear in what is resorbed, and nothing else gives it. 0 without
        tumour, and NaN without osteoclasts.
    """
    tumour, osteoclasts = (_sites(state, cell) for cell in (TUMOUR, "osteoclast"))
    # A voxel that opened since the signal was last solved for has none yet.
    osteoclasts = osteoclasts[state.fields[SIGNAL].reshape(-1)[osteoclasts] > 0]
    if len(osteoclasts) == 0:
        return dict.fromkeys(FACTORS, math.nan)
    signal = state.fields[SIGNAL].reshape(-1)[osteoclasts]
    share = _signal_from(state, tumour).reshape(-1)[osteoclasts] / signal
    response = _response(state, signal)
    growth = _growth(state, tumour)
    gain = float(np.mean(share * response)) * growth
    return dict(zip(FACTORS, (float(np.mean(share)), float(np.mean(response)), growth, gain), strict=True))


FACTORS = ("signal from tumour", "osteoclasts from signal", "growth from TGF-beta", "gain")


def _sites(state: State, cell: str) -> np.ndarray:
    """Voxels of the cells of a type and its kin that stand in tissue: sorted."""
    cells = state.cells
    rows = np.flatnonzero(np.isin(cells.type, state.config.family(cell)) & (cells.site >= 0))
    sites = np.sort(cells.site[rows])  # sums must not depend on the order of the rows
    return sites[tissues.IS_ENTERABLE[state.tissue.reshape(-1)[sites]] > 0]


def _signal_from(state: State, sites: np.ndarray) -> np.ndarray:
    """The part of L that the cells in these voxels secrete: L is linear in what is secreted."""
    config, field = state.config, state.config.fields[SIGNAL]
    source = np.zeros(state.tissue.shape, np.float32)
    secretion = by_cell(config, SIGNAL)[:, 0]
    source.reshape(-1)[sites] = secretion[state.cells.type[state.occupant.reshape(-1)[sites]]]
    relative = {code: float(value) for code, value in enumerate(permeability(field)) if value > 0}
    codes = {code: relative.get(code, 0.0) for code in np.unique(state.tissue).tolist()}
    return steady_field(
        state.tissue, source, diffusivity=field.diffusivity, decay=field.decay, spacing=config.geometry.voxel,
        relative_diffusivity=codes, cycles=3,
    )  # fmt: skip


def _response(state: State, signal: np.ndarray) -> np.ndarray:
    """Elasticity of the number of osteoclasts at these values of L."""
    rules = state.config.processes["remodelling"]
    effective = np.maximum(rules.signal_scale(state) * signal, 1e-12)
    hill = 1.0 / (1.0 + (rules.rankl_half / effective) ** rules.rankl_exponent)
    least, _ = rules.vigour()
    followed = (1.0 - least) * 2.0 * hill
    return rules.rankl_exponent * (1.0 - hill) * (1.0 + followed / (least + followed))


def _growth(state: State, sites: np.ndarray) -> float:
    """Mean elasticity of the division rate of the cells in these voxels to TGF-beta; 0 where there are none."""
    if len(sites) == 0:
        return 0.0
    config, rules = state.config, state.config.processes["cycle"]
    rows = state.occupant.reshape(-1)[sites]
    kinds = state.cells.type[rows]
    gain, growth = config.column("bone_growth_gain")[kinds], config.column("growth_gain")[kinds]
    level = state.fields[RELEASED].reshape(-1)[sites].astype(np.float64)
    bound = state.fields["cxcl12"].reshape(-1)[sites].astype(np.float64)
    theta = bound / (bound + state.half_occupancy)
    received = state.cells.cxcr4[rows] * theta / (1.0 + config.receptor.desensitisation * theta)
    half = rules.tgf_beta_half
    rate = 1.0 + growth * received / (received + rules.half_signal) + gain * level / (half + level)
    return float(np.mean(gain * half * level / (half + level) ** 2 / rate))
