"""An experiment in the user's own bone instead of generated bone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marrowsim.config import Config
from marrowsim.errors import ExperimentError, Fault
from marrowsim.geometry.build import bone_of
from marrowsim.geometry.reading import known_checksum
from marrowsim.tissues import BONE


@dataclass(frozen=True)
class OwnBone:
    """The image that an experiment takes its bone from.

    Attributes
    ----------
    file : absolute path.
    spacing : voxel size in the image, as in a scenario (`geometry.image.spacing`); None where its header tells.
    """

    file: str
    spacing: Any = None

    @classmethod
    def at(cls, path: str | Path, spacing: Any = None) -> OwnBone:
        """The bone of an image; a relative path is looked up in the present folder.

        Raises
        ------
        ExperimentError
            Where there is no such file or folder.
        """
        whole = Path(path).expanduser().resolve()
        if not whole.exists():
            allowed = "a file, or a folder of TIFF slices"
            raise ExperimentError(Fault("there is no such image", allowed, str(path), "check the path", "bone"))
        return cls(str(whole), spacing)

    @property
    def name(self) -> str:
        """The name of the file, without its folder."""
        return Path(self.file).name

    def described(self, configs: Iterable[Config]) -> str:
        """The file, and BV/TV of the boxes of it that configurations take, in words."""
        boxes = {config.geometry.model_dump_json(): config for config in configs if config.geometry.image}
        shares = sorted({f"{np.mean(bone_of(config)[0] == BONE):.3f}" for config in boxes.values()})
        return f"`{self.name}`, BV/TV {' or '.join(shares)}"

    def overrides(self, config: Config) -> dict[str, Any]:
        """What puts bone of the image where a configuration has generated bone: a central box as large as its own."""
        values = {
            "kind": "image",
            "image.file": self.file,
            "image.crop": [f"{edge!r} um" for edge in config.geometry.size],
        }
        if self.spacing is not None:
            values["image.spacing"] = self.spacing
        return {f"geometry.{key}": value for key, value in values.items()}

    def record(self) -> dict[str, Any]:
        """What the folder of an experiment says of it."""
        return {"file": self.name, "sha256": known_checksum(self.file), "spacing": self.spacing}
