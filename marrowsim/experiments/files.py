"""From an experiment file to an `Experiment` and the configurations of its arms, with every fault at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from marrowsim.config import SCENARIOS, Config, load_config
from marrowsim.config.extensions import anchored
from marrowsim.config.faults import Places, faults_of
from marrowsim.config.load import toml_text
from marrowsim.errors import ExperimentError, Fault, ScenarioError, nearest
from marrowsim.experiments.bone import OwnBone
from marrowsim.experiments.measures import MEASURES
from marrowsim.experiments.model import ARMS_OF, Arm, Bounded, Bounds, Experiment, Readout, Rule
from marrowsim.processes import PROCESSES
from marrowsim.readouts import column_names

CLAIMS = ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10")
"""The experiments that are part of the program."""
COLUMNS = "a column of readouts.csv with its unit (docs/ODD.md lists them), such as 'BV/TV (1)'"
ARM = re.compile(r"[A-Za-z0-9_-]+")
PARTS: dict[str, type[BaseModel]] = {"bounded": Bounded, "arms": Arm, "readout": Readout, "rule": Rule}


@dataclass(frozen=True)
class Source:
    """An experiment with the text it was read from.

    Attributes
    ----------
    experiment : Experiment
    text : str, the file.
    where : the bundled name or the path, for messages.
    folder : where scenarios that it names as files are looked up.
    """

    experiment: Experiment
    text: str
    where: str
    folder: Path


def experiment_text(name_or_path: str | Path) -> tuple[str, str]:
    """Text of an experiment and where it is from: the name of a bundled one, or a TOML file.

    Raises
    ------
    ExperimentError
        Where there is neither.
    """
    example = "copy one: marrowsim knockout S8 --print > my.toml"
    return toml_text(name_or_path, "experiment", __package__, CLAIMS, example, ExperimentError)


def load_experiment(name_or_path: str | Path) -> Source:
    """Read and check an experiment; its scenarios are checked by `arm_configs`.

    Raises
    ------
    ExperimentError
        With one fault for every wrong thing in the file.
    """
    text, where = experiment_text(name_or_path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(Fault("the experiment is not valid TOML", given=str(error), where=where)) from None
    places = Places(text, where, ())
    faults = [*_cross_faults(data, places)]
    try:
        experiment = Experiment.model_validate(data)
    except ValidationError as error:
        faults += faults_of(error, places, _allowed)
    if faults:
        raise ExperimentError(*dict.fromkeys(faults))
    return Source(experiment, text, where, Path() if where in CLAIMS else Path(where).parent)


def _allowed(path: tuple[str, ...]) -> list[str]:
    """Keys that are allowed at a path of the file."""
    if path and path[-1] in ("supports", "falsifies"):
        return list(Bounds.model_fields)
    return list((PARTS[path[0]] if path else Experiment).model_fields)


def tables(data: Mapping[str, Any], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tables of a list in a file that was not checked yet, with their numbers."""
    items = data.get(name)
    for number, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict):
            yield number, item


def _cross_faults(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """Names that refer to something in the file must be there, and measures must know their options."""
    yield from readout_faults(data, places)
    arms = data.get("arms") if isinstance(data.get("arms"), dict) else {}
    yield from set_faults(data, places, (), ("bounded",), *(("arms", name) for name in arms))
    for name in arms:
        if not ARM.fullmatch(name):
            allowed = "letters, digits, _ and -, since files are named after it; any words in label"
            yield Fault("the name of an arm", allowed, f"'{name}'", where=places(("arms", name)))
    readouts = [item.get("name") for _, item in tables(data, "readout")]
    for number, rule in tables(data, "rule"):
        kind = rule.get("kind")
        needed = ARMS_OF.get(kind, ()) if isinstance(kind, str) else ()
        for key in ("of", "to", "full", "none"):
            where, arm = places(("rule", str(number), key)), rule.get(key)
            if arm is None and key in needed:
                yield Fault("an arm to compare with is missing", ", ".join(arms), remedy=f"give {key}", where=where)
            elif arm is not None and isinstance(kind, str) and kind in ARMS_OF and key not in ("of", *needed):
                yield Fault(f"a rule of kind {kind} has no such arm", ", ".join(("of", *needed)), key, where=where)
            elif key != "of" and arm is not None and arm == rule.get("of"):
                yield Fault("an arm is compared with itself", ", ".join(arms), f"'{arm}'", where=where)
            elif isinstance(arm, str) and arm not in arms:
                yield Fault("unknown arm", ", ".join(arms), f"'{arm}'", nearest(arm, arms), where)
        name = rule.get("readout")
        if isinstance(name, str) and name not in readouts:
            known = [item for item in readouts if isinstance(item, str)]
            where = places(("rule", str(number), "readout"))
            yield Fault("unknown readout", ", ".join(known), f"'{name}'", nearest(name, known), where)
    rules = [rule for _, rule in tables(data, "rule")]
    if rules and not any("supports" in rule for rule in rules):
        what, allowed = "no rule can support the claim", "supports in one rule or more"
        yield Fault(what, allowed, where=places(("rule",)))


def set_faults(data: Mapping[str, Any], places: Places, *above: tuple[str, ...]) -> Iterator[Fault]:
    """What `set` may not give, in the tables at these paths: what is given in another way, and would not count."""
    for path in above:
        table: Any = data
        for name in path:
            table = table.get(name) if isinstance(table, dict) else None
        values = table.get("set") if isinstance(table, dict) else None
        others = {"seed": "the seeds are those of the replicates", "knockouts": "knockouts stand beside set, not in it"}
        for key, what in others.items():
            if isinstance(values, dict) and key in values:
                remedy = "leave it out" if key == "seed" else "move it above set, into the same table"
                yield Fault(what, given=repr(values[key]), remedy=remedy, where=places((*path, "set", key)))


def readout_faults(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """What is wrong with the names, measures and options of the readouts of a file."""
    seen = set()
    for number, readout in tables(data, "readout"):
        name, known = readout.get("name"), readout.get("measure")
        if isinstance(name, str) and name in seen:
            yield Fault("two readouts of one name", given=f"'{name}'", where=places(("readout", str(number), "name")))
        seen.add(name if isinstance(name, str) else None)
        if isinstance(known, str) and known not in MEASURES:
            where = places(("readout", str(number), "measure"))
            yield Fault("unknown measure", ", ".join(MEASURES), f"'{known}'", nearest(known, MEASURES), where)
        elif isinstance(known, str):
            model = MEASURES[known].options
            try:
                model.model_validate(readout.get("options", {}))
            except ValidationError as error:
                where = _Below(places, ("readout", str(number), "options"))
                yield from faults_of(error, where, lambda _, fields=model.model_fields: list(fields))


class _Below:
    """The places of a table of the file."""

    def __init__(self, places: Places, above: tuple[str, ...]):
        self.places, self.above = places, above

    def __call__(self, path: tuple[str, ...]) -> str:
        return self.places((*self.above, *path))


def flat(tables: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested tables as values by dotted key; lists stay whole."""
    values = {}
    for key, value in tables.items():
        name = f"{above}.{key}" if above else key
        values |= flat(value, name) if isinstance(value, Mapping) else {name: value}
    return values


def arm_configs(source: Source, *, bounded: bool, seed: int, bone: OwnBone | None = None) -> dict[str, Config]:
    """The configuration of every arm, for one seed, with bone of an image in the place of generated bone.

    Raises
    ------
    ExperimentError
        With the faults of every arm's scenario, and of what the readouts ask of it; where no arm has bone to replace.
    """
    experiment, faults, configs, replaced = source.experiment, [], {}, False
    for name, arm in experiment.arms.items():
        scenario = scenario_beside(source.folder, arm.scenario or experiment.scenario)
        overrides = flat(experiment.set) | (flat(experiment.bounded.set) if bounded else {}) | flat(arm.set)
        overrides = anchored(overrides, source.folder)
        switched = [*experiment.knockouts, *arm.knockouts]
        try:
            config = load_config(scenario, PROCESSES, overrides | {"seed": seed}, knockouts=switched)
            if bone is not None and has_bone(config):
                replaced = True
                values = overrides | bone.overrides(config) | {"seed": seed}
                config = load_config(scenario, PROCESSES, values, knockouts=switched)
        except ScenarioError as error:
            faults += [replace(fault, where=f"{source.where}: arm {name}: {fault.where}") for fault in error.faults]
            continue
        configs[name] = config
        faults += unmeasurable(experiment.readout, config, f"{source.where}: arm {name}")
    if bone is not None and not (faults or replaced):
        what, allowed = "no arm has generated bone", "an experiment in marrow"
        faults.append(Fault(what, allowed, bone.name, "leave the image out", source.where))
    if faults:
        raise ExperimentError(*dict.fromkeys(faults))
    return configs


def has_bone(config: Config) -> bool:
    """Whether a configuration has generated bone, which that of an image can take the place of."""
    return config.geometry.kind == "trabecular"


def scenario_beside(folder: Path, name: str) -> str:
    """A bundled scenario by its name, another beside the file that names it."""
    return name if name in SCENARIOS or Path(name).is_absolute() else str(folder / name)


def unmeasurable(readouts: Iterable[Readout], config: Config, which: str) -> Iterator[Fault]:
    """What the readouts name must be there in a configuration, and their times within its run."""
    columns = sorted(column_names(config))
    for readout in readouts:
        where = f"{which}: readout {readout.name}"
        if readout.at is not None and round(readout.at / config.time.step) > config.time.steps:
            allowed = f"up to {config.time.duration:g} min"
            yield Fault("a readout is taken after the end of the run", allowed, f"{readout.at:g} min", where=where)
        for key, known in (("cell", config.cells), ("field", config.fields), ("column", columns)):
            given = readout.options.get(key)
            if isinstance(given, str) and given not in known:
                allowed = COLUMNS if key == "column" else ", ".join(known)
                yield Fault(f"unknown {key}", allowed, f"'{given}'", nearest(given, known), where)
