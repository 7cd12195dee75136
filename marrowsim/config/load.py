"""From a scenario file, a bundled name or nested values to a `Config`, with every fault at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from marrowsim import catalogue
from marrowsim.config.checks import cross_faults
from marrowsim.config.extensions import KEY, anchored, load_extensions
from marrowsim.config.faults import Places, allowed_names, faults_of
from marrowsim.config.model import Config
from marrowsim.errors import Fault, MarrowsimError, ScenarioError, nearest
from marrowsim.parameters import ParameterSet
from marrowsim.scenarios import SCENARIOS

CATALOGUED = ("cells", "fields", "drugs")
"""Sections of a scenario whose entries are those of the catalogue, and the user's own."""


def scenario_text(name_or_path: str | Path) -> tuple[str, str]:
    """Text of a scenario and where it is from: a bundled name or a TOML file.

    Raises
    ------
    ScenarioError
        Where there is neither a bundled scenario of that name nor a readable file.
    """
    example = "make one with: marrowsim new homing > my.toml"
    return toml_text(name_or_path, "scenario", "marrowsim.scenarios", SCENARIOS, example, ScenarioError)


def toml_text(
    name_or_path: str | Path,
    what: str,
    package: str,
    bundled: tuple[str, ...],
    example: str,
    error: type[MarrowsimError],
) -> tuple[str, str]:
    """Text of a bundled file or of one of the user's, and where it is from.

    Parameters
    ----------
    name_or_path : one of the names in `bundled`, or a TOML file.
    what : what it is, in messages.
    package : where the bundled ones are.
    example : remedy where there is none of a similar name.
    error : raised where there is neither, or the file cannot be read.
    """
    name = str(name_or_path)
    if name in bundled:
        return resources.files(package).joinpath(f"{name}.toml").read_text(encoding="utf-8"), name
    path = Path(name)
    if not path.is_file():
        allowed = f"a TOML file, or one of {', '.join(bundled)}"
        raise error(Fault(f"there is no such {what}", allowed, f"'{name}'", nearest(name, bundled) or example))
    try:
        return path.read_text(encoding="utf-8"), name
    except (OSError, UnicodeDecodeError) as reason:
        raise error(Fault(f"the {what} cannot be read", "a text file in UTF-8", str(reason), where=name)) from None


def load_config(
    scenario: str | Path | Mapping[str, Any],
    processes: Mapping[str, type[ParameterSet]],
    overrides: Mapping[str, Any] | None = None,
    *,
    knockouts: Iterable[str] = (),
    files: bool = True,
    code: bool = True,
) -> Config:
    """The configuration of a scenario, with overrides by dotted key.

    Parameters
    ----------
    scenario : name of a bundled scenario, path of a TOML file, or nested values.
    processes : parameter sets of the processes, by name.
    overrides : values by dotted key (`{"time.step": "6 min"}`), which win over the scenario.
    knockouts : arrows to switch off besides those that the scenario or the overrides do.
    files : whether the files that the scenario names must be there; those of its code always must.
    code : whether the Python files of its `extensions` are run, as is needed to simulate or to check it. If not, the
        sections of their processes are taken as they stand in a resolved scenario.

    Raises
    ------
    ScenarioError
        With one fault for every wrong thing in it.
    """
    if isinstance(scenario, Mapping):
        text, where, data = "", "scenario", _copy(scenario)
    else:
        text, where = scenario_text(scenario)
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ScenarioError(Fault("the scenario is not valid TOML", given=str(error), where=where)) from None
        if isinstance(data.get("geometry"), dict) and isinstance(data["geometry"].get("image"), dict):
            _anchor(data["geometry"]["image"], where)
        data = anchored(data, Path(where).parent)
    faults: list[Fault] = []
    overridden = set()
    if (overrides or {}).get("geometry.kind") == "image" and (kind := _kind(data)) in ("dish", "soft"):
        what = "a dish has no place for bone" if kind == "dish" else "soft tissue has no place for bone"
        remedy = "use the image with homing or healthy, or leave --bone out"
        faults.append(Fault(what, "a scenario of marrow", f"kind = '{kind}'", remedy, where))
    for key, value in (overrides or {}).items():
        overridden.add(tuple(key.split(".")))
        faults += _assign(data, key, value)
    for name in knockouts:
        overridden.add(("knockouts",))
        if isinstance(listed := data.setdefault("knockouts", []), list) and name not in listed:
            data["knockouts"] = [*listed, name]
    places = Places(text, where, overridden)
    data = _with_catalogue(data, _presets(data, faults, places), faults, places)
    own = load_extensions(data, processes, places, code=code)
    faults += own.faults
    data[KEY] = [item.model_dump() for item in own.extensions] or None
    processes = {**processes, **own.processes}
    for name in data.get("knockouts", []) if isinstance(data.get("knockouts", []), list) else []:
        faults += _knock_out(data, name, places, own.arrows)
    try:
        config = Config.model_validate(data, context={"processes": processes})
    except ValidationError as error:
        names = allowed_names({"processes": processes})
        faults += faults_of(error, places, names)
    faults += cross_faults(data, places, processes, files=files)
    if faults:
        raise ScenarioError(*dict.fromkeys(faults))
    return config


def _copy(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(item) for item in node] if isinstance(node, (list, tuple)) else node


def _kind(data: Mapping[str, Any]) -> Any:
    geometry = data.get("geometry")
    return geometry.get("kind") if isinstance(geometry, dict) else None


def _anchor(image: dict[str, Any], where: str) -> None:
    """An image named in a scenario file is looked up beside that file."""
    name = image.get("file")
    if isinstance(name, str) and not Path(name).is_absolute() and where not in SCENARIOS:
        image["file"] = str(Path(where).parent / name)


def _assign(data: dict[str, Any], key: str, value: Any) -> list[Fault]:
    """Set one dotted key; the path is made where it is missing."""
    *parents, last = key.split(".")
    node = data
    for name in parents:
        if isinstance(node, list) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, dict):
            node = node.setdefault(name, {})
        if not isinstance(node, (dict, list)):
            return [Fault(f"'{name}' is a value, not a table", "section.key", key, where=f"override {key}")]
    if not isinstance(node, dict) or not last:
        allowed = "section.key, or section.number.key for one of several, counted from 0"
        return [Fault("there is nothing of that name to set", allowed, key, where=f"override {key}")]
    node[last] = _copy(value)
    return []


def _merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in change.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _merged(result[key], value) if both else value
    return result


def _presets(data: Mapping[str, Any], faults: list[Fault], places: Places) -> dict[str, Any]:
    """The values of the presets that the scenario names, the last one on top."""
    presets = catalogue.load("presets")
    named = data.get("presets", [])
    values: dict[str, Any] = {}
    for name in named if isinstance(named, list) else []:
        if not isinstance(name, str) or name not in presets:
            hint = nearest(str(name), presets) or "marrowsim parameters --presets tells what each one is"
            faults.append(Fault("unknown preset", ", ".join(presets), repr(name), hint, places(("presets",))))
            continue
        values = _merged(values, catalogue.values(presets[name]["set"]))
    return values


def _with_catalogue(
    data: dict[str, Any], presets: Mapping[str, Any], faults: list[Fault], places: Places
) -> dict[str, Any]:
    """The scenario on top of its presets, on top of the shipped cell types, fields and drugs."""
    data = _merged({section: values for section, values in presets.items() if section not in CATALOGUED}, data)
    for section in CATALOGUED:
        shipped = _merged(catalogue.values(catalogue.load(section)), presets.get(section, {}))
        given = data.get(section, {})
        if not isinstance(given, dict):
            continue
        entries = dict(shipped)
        for name, change in given.items():
            like = change.get("like") if isinstance(change, dict) else None
            base = shipped.get(name, {})
            if name not in shipped and isinstance(like, str) and like in entries:
                base = entries[like]
            elif name not in shipped and isinstance(like, str):
                where = places((section, name, "like"))
                faults.append(Fault("unknown entry", ", ".join(entries), like, nearest(like, entries), where))
                continue
            elif name not in shipped and isinstance(change, dict) and "label" not in change:
                hint = nearest(name, shipped) or 'a new one needs like = "<type>" or a label of its own'
                where = places((section, name))
                faults.append(Fault("unknown entry", ", ".join(shipped), name, hint, where))
                continue
            entries[name] = _merged(base, change) if isinstance(change, dict) else change
        data[section] = entries
    return data


def _knock_out(data: dict[str, Any], name: Any, places: Places, own: Mapping[str, Any] | None) -> list[Fault]:
    """Apply one arrow's switch to the merged scenario; `own` are those of its extensions, None where not known."""
    arrows = {**catalogue.load("arrows"), **(own or {})}
    if not isinstance(name, str) or name not in arrows:
        if own is None:
            return []
        hint = nearest(str(name), arrows) or "marrowsim parameters --arrows tells what each one is"
        return [Fault("unknown arrow", ", ".join(arrows), repr(name), hint, places(("knockouts",)))]
    faults = []
    for key, value in arrows[name]["set"].items():
        section, entry, rest = key.split(".", 2)
        node = data.get(section, {})
        entries = node if isinstance(node, dict) else {}
        for item in entries if entry == "*" else [entry]:
            existing = entries.get(item, {})
            if not isinstance(existing, dict):
                continue
            table, _, leaf = rest.rpartition(".")
            if entry == "*" and table and leaf not in (existing.get(table) or {}):
                continue
            faults += _assign(data, f"{section}.{item}.{rest}", value)
    return faults
