"""A block of marrow made up for pictures: struts of bone, sinusoids, as many cells as are asked for, two fields."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from marrowsim.tissues import BONE, MARROW, SINUSOID

SPACING = 10.0
SHARES = {("car", "free"): 0.6, ("hpc", "bound"): 0.15, ("tumour", "free"): 0.2, ("tumour", "bound"): 0.05}


def block(edge: int, cells: int, seed: int = 0) -> SimpleNamespace:
    """A frame of edge^3 voxels as `marrowsim.storage` would hold it; another seed moves the cells alone."""
    still, moving = np.random.default_rng(0), np.random.default_rng(seed)

    def noise(width):
        made = gaussian_filter(still.standard_normal((edge,) * 3, dtype=np.float32), width, mode="wrap")
        return made / made.std()

    tissue = np.full((edge,) * 3, MARROW, np.uint8)
    tissue[(np.abs(noise(4)) < 0.25) & (np.abs(noise(4)) < 0.25)] = SINUSOID
    tissue[noise(7) > 1.3] = BONE
    fields = {name: (1 + 0.5 * noise(5)).astype(np.float32) * (tissue != BONE) for name in ("cxcl12", "oxygen")}
    sites = moving.choice(np.flatnonzero(tissue == MARROW), cells, replace=False)
    kinds, statuses = zip(*SHARES, strict=True)
    kind = np.repeat(np.arange(len(SHARES)), np.diff(np.round(np.cumsum([0, *SHARES.values()]) * cells).astype(int)))
    z, y, x = ((at + 0.5) * SPACING for at in np.unravel_index(sites, tissue.shape))
    table = pd.DataFrame({"id": np.arange(cells), "x": x, "y": y, "z": z})
    table["type"] = pd.Categorical(np.array(kinds)[kind])
    table["status"] = pd.Categorical(np.array(statuses)[kind])
    slots = table[["x", "y", "z"]][:: max(1, cells // 2000)].assign(occupied=True)
    return SimpleNamespace(
        step=0, time=0.0, spacing=SPACING, tissue=tissue, fields=fields, cells=table, slots=slots, bone_change=None
    )
