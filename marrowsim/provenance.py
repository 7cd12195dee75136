"""What a run was made with, so that it can be made again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from marrowsim import __version__

PACKAGES = ("numpy", "scipy", "scikit-image", "SimpleITK", "h5py", "pandas", "pydantic", "pint", "pyvista", "vtk")


def software() -> dict[str, Any]:
    """Versions of marrowsim, Python and the packages under it, and the machine."""
    return {
        "marrowsim": __version__,
        "git_revision": git_revision(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
    }


def version(package: str) -> str | None:
    """Installed version of a package; nothing where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git_revision() -> str | None:
    """Commit of the checkout that this package is imported from, with "-dirty" where it was changed."""
    package = Path(__file__).parent
    git = ["git", "-C", str(package)]
    try:
        tracked = subprocess.run(
            [*git, "ls-files", "--error-unmatch", Path(__file__).name], capture_output=True, timeout=10, check=False
        )
        if tracked.returncode:
            return None
        command = [*git, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def command_line() -> list[str]:
    """The command that this process was started with."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def now() -> str:
    """The time in UTC, to the second (ISO 8601)."""
    return datetime.now(UTC).isoformat(timespec="seconds")
