"""Errors that a person can act on: what is wrong, what is allowed, what was given, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an input.

    Parameters
    ----------
    what : what is wrong, in one sentence.
    allowed, given, remedy : what would be right, what was found, and what to do about it.
    where : the place (file and line, key, option), where there is one.
    """

    what: str
    allowed: str = ""
    given: str = ""
    remedy: str = ""
    where: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        parts = [("given", self.given), ("allowed", self.allowed), ("remedy", self.remedy)]
        return text + "".join(f"\n    {name}: {value}" for name, value in parts if value)


class MarrowsimError(Exception):
    """An input that the program refuses, with every fault that was found in it."""

    def __init__(self, *faults: Fault | str):
        self.faults = tuple(Fault(fault) if isinstance(fault, str) else fault for fault in faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ScenarioError(MarrowsimError):
    """A scenario (TOML file, override or option) that cannot be run."""


class ExperimentError(MarrowsimError):
    """An experiment or a sweep that cannot be run, or a folder that is not its own."""


class ImageError(MarrowsimError):
    """An image that cannot be read as bone."""


class GeometryError(MarrowsimError):
    """A geometry that cannot hold a simulation, or cannot be built as asked."""


class RunFolderError(MarrowsimError):
    """A run folder that cannot be written, read or resumed."""


class RenderError(MarrowsimError):
    """A picture that cannot be made."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """A remedy that names the nearest allowed word, or an empty string where none is near."""
    matches = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f"did you mean '{matches[0]}'?" if matches else ""


class FieldError(MarrowsimError):
    """A field problem that has no solution, or whose terms make no sense."""


class ExportError(MarrowsimError):
    """A run that cannot be exported as asked."""


class MissingPackageError(MarrowsimError):
    """A package that only some commands need, and that is not installed."""
