"""Bundled scenarios (TOML files beside this module)."""

SCENARIOS = (
    "homing",
    "healthy",
    "remodelling",
    "osteolysis",
    "displacement",
    "mobilisation",
    "primary",
    "metastasis",
    "culture",
)
"""Their names, in the order in which they are listed."""
