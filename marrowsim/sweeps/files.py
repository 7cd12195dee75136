"""From the file of a sweep to a `Sweep`, with every fault at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from marrowsim.config import Config, load_config
from marrowsim.config.extensions import anchored
from marrowsim.config.faults import Places, faults_of
from marrowsim.config.load import toml_text
from marrowsim.errors import ExperimentError, Fault, ScenarioError, nearest
from marrowsim.experiments.files import flat, readout_faults, scenario_beside, set_faults, tables, unmeasurable
from marrowsim.experiments.model import Readout
from marrowsim.processes import PROCESSES
from marrowsim.sweeps.model import Parameter, Reference, Sweep

BUNDLED = ("oxygen-and-cxcl12",)
"""The sweeps that are part of the program."""
PARTS: dict[str, type[BaseModel]] = {"parameter": Parameter, "readout": Readout, "reference": Reference}


@dataclass(frozen=True)
class Source:
    """A sweep with the text it was read from.

    Attributes
    ----------
    sweep : Sweep
    text : str, the file.
    where : the bundled name or the path, for messages.
    scenario : the scenario's bundled name or its file.
    folder : where Python files that it names are looked up.
    """

    sweep: Sweep
    text: str
    where: str
    scenario: str
    folder: Path

    def config(self, settings: Mapping[str, Any], seed: int = 0, *, reference: bool = False) -> Config:
        """The configuration of a point, or of its reference; `settings` are values by key of the scenario.

        Raises
        ------
        ScenarioError
        """
        values = flat(self.sweep.set) | dict(settings)
        knockouts = self.sweep.knockouts
        if reference:
            values |= flat(self.sweep.reference.set)
            knockouts = [*knockouts, *self.sweep.reference.knockouts]
        overrides = anchored(values, self.folder) | {"seed": seed}
        return load_config(self.scenario, PROCESSES, overrides, knockouts=knockouts)


def sweep_text(name_or_path: str | Path) -> tuple[str, str]:
    """Text of a sweep and where it is from: the name of a bundled one, or a TOML file.

    Raises
    ------
    ExperimentError
        Where there is neither.
    """
    example = f"copy one: marrowsim sweep {BUNDLED[0]} --print > my.toml"
    return toml_text(name_or_path, "sweep", __package__, BUNDLED, example, ExperimentError)


def load_sweep(name_or_path: str | Path) -> Source:
    """Read and check a sweep, its scenario at the ends of every parameter included.

    Raises
    ------
    ExperimentError
        With one fault for every wrong thing in the file.
    """
    text, where = sweep_text(name_or_path)
    return read_source(text, where, bundled=where in BUNDLED)


def read_source(
    text: str,
    where: str,
    *,
    bundled: bool,
    model: type[Sweep] = Sweep,
    parts: Mapping[str, type[BaseModel]] = PARTS,
    more: Callable[[Mapping[str, Any], Places], Iterable[Fault]] = lambda data, places: (),
) -> Source:
    """Check the text of a sweep, or of what has more in its file than a sweep.

    Parameters
    ----------
    text, where : as of `sweep_text`.
    bundled : whether it is part of the program; if not, its scenario may be a file beside it.
    model : what the file says.
    parts : its tables by their names.
    more : faults that a sweep does not know, of the file's tables and the places of its keys.

    Raises
    ------
    ExperimentError
        With one fault for every wrong thing in the file.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(Fault("the file is not valid TOML", given=str(error), where=where)) from None
    places = Places(text, where, ())
    faults = [*readout_faults(data, places), *_design_faults(data, places), *_reference_faults(data, places)]
    faults += set_faults(data, places, (), ("reference",))
    faults += more(data, places)
    sweep = None
    try:
        sweep = model.model_validate(data)
    except ValidationError as error:
        faults += faults_of(error, places, lambda path: list((parts[path[0]] if path else model).model_fields))
    if sweep is not None:
        folder = Path() if bundled else Path(where).parent
        source = Source(sweep, text, where, scenario_beside(folder, sweep.scenario), folder)
        faults += _scenario_faults(source, places)
    if faults:
        raise ExperimentError(*dict.fromkeys(faults))
    return source


def _design_faults(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """What design, samples and parameters ask of each other."""
    design, samples = data.get("design"), data.get("samples")
    if design == "grid" and samples is not None:
        where = places(("samples",))
        yield Fault("a grid has no samples", "values, or count between low and high", str(samples), where=where)
    elif isinstance(design, str) and design != "grid" and samples is None:
        yield Fault("a value is missing", remedy="give samples", where=places(("samples",)))
    elif design == "sobol" and isinstance(samples, int) and samples > 0 and samples & (samples - 1):
        allowed = "a power of 2, at which Sobol sequences are balanced"
        yield Fault("the samples are no power of 2", allowed, str(samples), where=places(("samples",)))
    seen = set()
    for number, item in tables(data, "parameter"):
        key, where = item.get("key"), places(("parameter", str(number), "key"))
        if isinstance(key, str) and key in seen:
            yield Fault("two parameters of one key", given=f"'{key}'", where=where)
        if key == "seed":
            yield Fault("the seed is no parameter of a sweep", "replicates", where=where)
        seen.add(key if isinstance(key, str) else None)
        where = places(("parameter", str(number)))
        if design == "grid" and "low" in item and "count" not in item:
            yield Fault("how many values?", "count with low and high, or values", remedy="give count", where=where)
        elif design != "grid" and "count" in item:
            yield Fault("count belongs to a grid", "low and high", str(item["count"]), "remove it", where)


def _reference_faults(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """Readouts that are ratios must be there, and have no unit."""
    reference = data.get("reference")
    names = reference.get("readouts") if isinstance(reference, dict) else None
    units = {item.get("name"): item.get("unit", "1") for _, item in tables(data, "readout")}
    for name in names if isinstance(names, list) else []:
        where = places(("reference", "readouts"))
        if name not in units:
            known = [item for item in units if isinstance(item, str)]
            yield Fault("unknown readout", ", ".join(known), f"'{name}'", nearest(str(name), known), where)
        elif units[name] != "1":
            remedy = "leave out its unit"
            yield Fault("a readout over that of the reference has no unit", "1", f"{units[name]!r}", remedy, where)


def _scenario_faults(source: Source, places: Places) -> Iterator[Fault]:
    """What is wrong with the scenario, and with it at the ends of each parameter where the others are as in it."""
    try:
        known = {"": source.config({})}
    except ScenarioError as error:
        yield from (replace(fault, where=f"{source.where}: {fault.where}") for fault in error.faults)
        return
    for number, parameter in enumerate(source.sweep.parameter):
        for name, value in parameter.extremes.items():
            where = places(("parameter", str(number), name.split(".")[0]))
            try:
                known[where] = source.config({parameter.key: value})
            except ScenarioError as error:
                for fault in error.faults:
                    yield replace(fault, given=fault.given or repr(value), where=f"{where}: {fault.where}")
    if source.sweep.reference is not None:
        where = places(("reference",))
        try:
            known[where] = source.config({}, reference=True)
        except ScenarioError as error:
            yield from (replace(fault, where=f"{where}: {fault.where}") for fault in error.faults)
    for where, config in known.items():
        yield from unmeasurable(source.sweep.readout, config, where or source.where)
