"""What a scenario's extensions are made of: processes of the user's own, and the files that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import ConfigDict

from marrowsim.parameters import ParameterSet


@dataclass(frozen=True)
class OwnReadout:
    """A column that a process adds to readouts.csv, as "<process>: <name> (<unit>)".

    Parameters
    ----------
    name, unit : of the column; "1" where there is no dimension.
    meaning : what it is, in a few words.
    measure : function of the `State` that gives its value, NaN where it is not defined.
    """

    name: str
    unit: str
    meaning: str
    measure: Callable[[Any], float]


class OwnProcess(ParameterSet):
    """A process that a scenario brings: derive from it in a file that `extensions` of the scenario names.

    Its parameters are fields, each with a unit and declared by `marrowsim.parameter`: they are the section
    `[processes.<name>]` of the scenario. Derived classes have a method `update(state, clock)`, called once a step,
    which changes the `State` in place, and may have `prepare(state, clock)`, called once before the first step of a
    new run.

    Attributes
    ----------
    name : of the process; a word of small letters.
    after : process of the step after which it comes; the last one where not given.
    readouts : columns that it adds to readouts.csv.
    arrows : what knock-outs by name set, as `{"radiation": {"meaning": "...", "set": {"processes.x.dose": "0 Gy"}}}`.
    """

    name: ClassVar[str]
    after: ClassVar[str | None] = None
    readouts: ClassVar[tuple[OwnReadout, ...]] = ()
    arrows: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType({})

    enabled: bool = True
    """whether the process is in the schedule"""


class KeptSection(ParameterSet):
    """The section of a process whose code was not run: values as they were written."""

    model_config = ConfigDict(extra="allow")

    enabled: bool = True
    """whether the process is in the schedule"""


class Extension(ParameterSet):
    """A Python file with processes, as a resolved scenario holds it."""

    name: str
    """name of the file"""
    sha256: str
    """digest of its text"""
    source: str
    """its text"""
