"""Bundled scenarios (TOML files beside this module)."""

SCENARIOS = ("homing", "healthy", "remodelling", "displacement", "mobilisation", "primary", "metastasis", "culture")
"""Their names, in the order in which they are listed."""
