"""Processes of the user's own: Python files that a scenario names, read, run and checked.

Loading such a file runs the code in it. That happens to scenarios that are checked or run; to look at a run folder,
its code is read but not run (`load_config(..., code=False)`).
"""

from __future__ import annotations

import hashlib
import linecache
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from marrowsim import catalogue
from marrowsim.config.faults import Places
from marrowsim.config.own_process import Extension, KeptSection, OwnProcess, OwnReadout
from marrowsim.errors import Fault, MarrowsimError, ScenarioError, nearest
from marrowsim.parameters import ParameterSet

KEY = "extensions"
MODULE = "marrowsim_extension_"
FORMS = 'the path of a Python file, such as "radiotherapy.py"'
SHAPES = ({"file"}, {"file", "sha256"}, {"name", "sha256", "source"})
"""Keys of an entry: a path alone; as in run folders; as in resolved scenarios."""
PROCESS = "a class that derives from marrowsim.OwnProcess, with a name and update(state, clock)"


@dataclass(frozen=True)
class Loaded:
    """What the extensions of a scenario give.

    Attributes
    ----------
    extensions : files, in the order of the scenario.
    processes : sections by name, besides those of the program.
    arrows : as in the catalogue, besides those there; None where they are not known.
    faults : what is wrong.
    """

    extensions: list[Extension]
    processes: dict[str, type[ParameterSet]]
    arrows: dict[str, Any] | None
    faults: list[Fault]


def anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The values with relative file names under `extensions` taken from a folder."""
    entries = data.get(KEY)
    if not isinstance(entries, list):
        return data
    return {**data, KEY: [_below(folder, entry) for entry in entries]}


def _below(folder: Path, entry: Any) -> Any:
    if isinstance(entry, dict):
        return {key: _below(folder, value) if key == "file" else value for key, value in entry.items()}
    return str(folder / entry) if isinstance(entry, str) else entry


def load_extensions(data: Mapping[str, Any], known: Mapping[str, Any], places: Places, *, code: bool) -> Loaded:
    """Read the files that a scenario names, and run them.

    Parameters
    ----------
    data : values of the scenario.
    known : processes of the program, by name.
    places : where keys stand, for messages.
    code : whether the files may be run; if not, sections of their processes are taken as they stand.
    """
    entries = data.get(KEY) or []
    extensions: list[Extension] = []
    processes: dict[str, type[ParameterSet]] = {}
    arrows: dict[str, Any] = {}
    faults: list[Fault] = []
    if not isinstance(entries, list):
        faults.append(Fault("this is not a list", '["radiotherapy.py"]', repr(entries), where=places((KEY,))))
    for number, entry in enumerate(entries if not faults else []):
        try:
            extension = _read(entry, places((KEY, str(number))))
            if extension.name in [other.name for other in extensions]:
                raise _refusal("two extensions of one name", "", extension.name, "rename one", places((KEY,)))
            extensions.append(extension)
            if code:
                for process in _processes(extension):
                    _require_new(process, known, processes, arrows, extension.name)
                    processes[process.name] = process
                    arrows |= process.arrows
        except ScenarioError as error:
            faults += error.faults
    faults += _placing_faults(processes, known) if not faults else []
    if entries and (faults or not code):
        given = data.get("processes")
        given = given if isinstance(given, dict) else {}
        own = [name for name in given if name not in known and name not in processes]
        return Loaded(extensions, processes | dict.fromkeys(own, KeptSection), None, faults)
    return Loaded(extensions, processes, arrows, faults)


def _refusal(what: str, allowed: str, given: str, remedy: str, where: str) -> ScenarioError:
    return ScenarioError(Fault(what, allowed, given, remedy, where))


def _read(entry: Any, where: str) -> Extension:
    """The file of one entry: a path, or a table of a resolved scenario with its digest."""
    table = entry if isinstance(entry, dict) else {"file": entry}
    allowed = f"{FORMS}, or a table with sha256, and file or name and source"
    named = set(table) in SHAPES and all(isinstance(value, str) for value in table.values())
    if not named or Path(table.get("name", "")).name != table.get("name", ""):
        raise _refusal("this names no Python file", allowed, repr(entry), "", where)
    name, source = table.get("name"), table.get("source")
    if source is None:
        path = Path(table["file"]).expanduser()
        name = path.name
        if path.suffix != ".py" or not path.is_file():
            remedy = "check the path; a relative one is looked up beside the file that names it"
            raise _refusal("there is no such Python file", FORMS, str(path), remedy, where)
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _refusal("the extension cannot be read", "a text file in UTF-8", str(error), "", str(path)) from None
    digest = hashlib.sha256(source.encode()).hexdigest()
    if table.get("sha256", digest) != digest:
        remedy = "put the file back as it was; or start a new run with the new code, from a scenario that names it"
        what = f"the code of {name} was changed since the scenario was resolved"
        raise _refusal(what, f"SHA-256 {table['sha256']}", digest, remedy, where)
    return Extension(name=name, sha256=digest, source=source)


@cache
def _module(name: str, source: str) -> ModuleType:
    """The file as a module; the same one for the same text, so that its classes are the same."""
    digest = hashlib.sha256(f"{name} {source}".encode()).hexdigest()
    module = ModuleType(f"{MODULE}{digest[:16]}")
    module.__file__ = name
    # Tracebacks, and docstrings of attributes, look for the lines here.
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


@contextmanager
def failures_told() -> Iterator[None]:
    """What goes wrong in the code of an extension, as an error with its line.

    Raises
    ------
    MarrowsimError
        From the error that it tells of. Errors of other code are left as they are.
    """
    try:
        yield
    except MarrowsimError:
        raise
    except Exception as error:
        places = [
            f"{frame.f_code.co_filename}:{line}"
            for frame, line in traceback.walk_tb(error.__traceback__)
            if frame.f_globals.get("__name__", "").startswith(MODULE)
        ]
        if not places:
            raise
        given, remedy = f"{type(error).__name__}: {error}", "mend it, and start a new run with it"
        raise MarrowsimError(
            Fault("the code of the extension failed", given=given, remedy=remedy, where=places[-1])
        ) from error


def _processes(extension: Extension) -> list[type[OwnProcess]]:
    """The processes that a file defines, checked by themselves."""
    name = extension.name
    try:
        module = _module(name, extension.source)
    except SyntaxError as error:
        given = f"{error.msg}: {(error.text or '').strip()}"
        raise _refusal("this is not valid Python", "", given, "", f"{name}:{error.lineno}") from None
    except Exception as error:
        line = next((item.lineno for item in reversed(traceback.extract_tb(error.__traceback__))
                     if item.filename == name), None)  # fmt: skip
        remedy = "install it wherever the scenario is run" if isinstance(error, ImportError) else "mend the file"
        given = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise _refusal("the extension cannot be loaded", "", given, remedy, f"{name}:{line}") from None
    found = [
        item for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, OwnProcess) and item.__module__ == module.__name__
    ]  # fmt: skip
    if not found:
        raise _refusal("the extension has no process", PROCESS, "", "", name)
    faults = [fault for item in found for fault in _class_faults(item, f"{name}: {item.__name__}")]
    if faults:
        raise ScenarioError(*faults)
    return found


def _class_faults(process: type[OwnProcess], where: str) -> list[Fault]:
    faults = []
    name = getattr(process, "name", None)
    if not (isinstance(name, str) and name.isidentifier() and name.islower()):
        faults.append(Fault("the process has no name", 'name = "<word of small letters>"', repr(name), where=where))
    if process.after is not None and not isinstance(process.after, str):
        faults.append(Fault("after names no process", 'after = "<process>"', repr(process.after), where=where))
    if not callable(getattr(process, "update", None)):
        faults.append(Fault("the process does nothing", "a method update(self, state, clock)", where=where))
    try:
        process.model_validate({})
    except ValidationError as error:
        wrong = [item for item in error.errors(include_url=False) if item["type"] != "missing"]
        faults += [
            Fault(item["msg"], str(item.get("ctx", {}).get("allowed", "")), repr(item["input"]), "mend the default",
                  ".".join(map(str, (where, *item["loc"]))))
            for item in wrong
        ]  # fmt: skip
    readouts = process.readouts
    declared = isinstance(readouts, tuple) and all(isinstance(item, OwnReadout) for item in readouts)
    if not declared or not all(callable(item.measure) for item in readouts):
        faults.append(
            Fault(
                "readouts are not declared as such",
                "a tuple of OwnReadout, with functions of the state",
                repr(readouts),
                where=where,
            )
        )
    elif len({item.name for item in readouts}) < len(readouts):
        faults.append(Fault("two readouts of one name", given=", ".join(item.name for item in readouts), where=where))
    if not isinstance(process.arrows, Mapping):
        faults.append(
            Fault("arrows are not declared as such", "what each sets, by name", repr(process.arrows), where=where)
        )
        return faults
    for arrow, entry in process.arrows.items():
        whole = isinstance(entry, Mapping) and set(entry) == {"meaning", "set"} and isinstance(entry["set"], Mapping)
        if not whole or not all(str(key).count(".") >= 2 for key in entry["set"]):
            allowed = '{"meaning": "...", "set": {"processes.<name>.<parameter>": <value>}}'
            faults.append(Fault(f"the arrow '{arrow}' does not say what it sets", allowed, repr(entry), where=where))
    return faults


def _require_new(
    process: type[OwnProcess], known: Mapping[str, Any], own: Mapping[str, Any], arrows: Mapping[str, Any], file: str
) -> None:
    """Refuse names that are taken."""
    where = f"{file}: {process.__name__}"
    if process.name in known or process.name in own:
        whose = "the program" if process.name in known else "another extension"
        raise _refusal(f"{whose} has a process of that name", "", f"'{process.name}'", "choose another name", where)
    if taken := (set(catalogue.load("arrows")) | set(arrows)) & set(process.arrows):
        raise _refusal("there is an arrow of that name", "", ", ".join(sorted(taken)), "choose another name", where)


def _placing_faults(own: Mapping[str, type[OwnProcess]], known: Mapping[str, Any]) -> list[Fault]:
    """A process comes after one that there is, and does not part those that take sub-steps together."""
    together = [name for name, process in known.items() if getattr(process, "interleaved", False)]
    names = [name for name in (*known, *own) if name not in together[:-1]]
    placed, waiting = {None, *known}.difference(together[:-1]), list(own.values())
    while ready := [process for process in waiting if process.after in placed]:
        placed |= {process.name for process in ready}
        waiting = [process for process in waiting if process not in ready]
    faults = []
    for process in waiting:
        what, remedy = "there is no such process to come after", nearest(str(process.after), names)
        if process.after in together:
            what, remedy = "these processes take sub-steps together", f"after = '{together[-1]}'"
        faults.append(Fault(what, ", ".join(names), repr(process.after), remedy, f"{process.name}: after"))
    return faults
