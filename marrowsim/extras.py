"""Packages that only some commands need, and the line that brings them where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from marrowsim.errors import Fault, MissingPackageError


def load(package: str, extra: str) -> ModuleType:
    """Import a package of an extra of marrowsim.

    Parameters
    ----------
    package : name of the package, as it is imported and installed.
    extra : the extra of pyproject.toml that it belongs to.

    Raises
    ------
    MissingPackageError
        Where it is not installed, with the line that installs it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        remedy = f"pip install {package} (all of the kind, in the source folder: pip install '.[{extra}]')"
        raise MissingPackageError(
            Fault(f"this needs the package {package}, which is not installed", "", "", remedy)
        ) from None
