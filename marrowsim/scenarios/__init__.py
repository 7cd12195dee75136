"""Bundled scenarios (TOML files beside this module)."""
