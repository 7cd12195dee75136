"""Tissue codes of the lattice (uint8, one a voxel)."""

from types import MappingProxyType

import numpy as np

OUTSIDE = 0
MARROW = 1
BONE = 2
SINUSOID = 3
ARTERIOLE = 4
SOFT = 5
CAPILLARY = 6
SPROUT = 7

NAMES = MappingProxyType(
    {
        OUTSIDE: "outside",
        MARROW: "marrow",
        BONE: "bone",
        SINUSOID: "sinusoid",
        ARTERIOLE: "arteriole",
        SOFT: "soft_tissue",
        CAPILLARY: "capillary",
        SPROUT: "sprout",
    }
)
"""Name of each tissue code. OUTSIDE is not part of the specimen; soft tissue is a site outside bone, and capillaries
its vessels; the vessels are their lumen, a sprout is endothelium that carries no blood yet."""

CODES = MappingProxyType({name: code for code, name in NAMES.items()})
"""Code of each tissue name."""

LUMEN = (SINUSOID, ARTERIOLE, CAPILLARY)
"""Tissues that are the inside of a vessel with blood."""

ENTERABLE = (MARROW, SOFT)
"""Tissues that cells live in."""


def lookup(values: dict[int, float], dtype: type = np.float32) -> np.ndarray:
    """A table of 256 entries over tissue codes, for kernels; codes not named get 0."""
    table = np.zeros(256, dtype=dtype)
    for code, value in values.items():
        table[code] = value
    return table


IS_LUMEN = lookup({code: 1 for code in LUMEN}, np.uint8)
"""1 for the codes of vessel lumen: uint8, shape (256,)."""
IS_ENTERABLE = lookup({code: 1 for code in ENTERABLE}, np.uint8)
"""1 for the codes that cells may enter: uint8, shape (256,)."""
IS_OF_BONE = lookup({code: 1 for code in (MARROW, BONE, SINUSOID, ARTERIOLE)}, np.uint8)
"""1 for the codes that the specimen of bone is made of, which BV/TV is a share of: uint8, shape (256,)."""

LUMEN_OF_SITE = np.full(256, SINUSOID, np.uint8)
"""What a new vessel becomes, by the tissue that was there at the start: capillary in soft tissue, else sinusoid."""
LUMEN_OF_SITE[[SOFT, CAPILLARY]] = CAPILLARY
TISSUE_OF_SITE = np.full(256, MARROW, np.uint8)
"""What a vessel becomes that is lost, by the tissue that was there at the start."""
TISSUE_OF_SITE[[SOFT, CAPILLARY]] = SOFT
