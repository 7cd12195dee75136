"""Runs in the formats of other programs: ParaView, napari, xarray, tables."""

from marrowsim.export.formats import FORMATS, export

__all__ = ["FORMATS", "export"]
