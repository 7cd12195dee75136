"""What must hold between the values of a scenario, each of which may be right by itself.

These checks work on the values as they were written, so that their faults come together with those
of single values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from marrowsim import tissues
from marrowsim.config.faults import Places
from marrowsim.config.pharmacology import TARGETS
from marrowsim.config.sections import Geometry, Output, SoftTissue, Time, Vessels
from marrowsim.errors import Fault, nearest
from marrowsim.units import In

SECTIONS: dict[str, type[BaseModel]] = {
    "time": Time,
    "geometry": Geometry,
    "soft_tissue": SoftTissue,
    "vessels": Vessels,
    "output": Output,
}
MOST_STEPS = 2**31 - 1
MOST_VOXELS = 2**31 - 1
FEWEST_VOXELS = 4


def cross_faults(data: Mapping[str, Any], places: Places, processes: Collection[str], *, files: bool) -> list[Fault]:
    """Faults between the values of a merged scenario; what cannot be read is left to other checks."""
    faults = [*_cells(data, places), *_fields(data, places), *_time(data, places), *_lattice(data, places)]
    faults += _owners(data, places, processes)
    faults += [*_image(data, places, files), *_vessels(data, places), *_sites(data, places)]
    return [*faults, *_drugs(data, places), *_region(data, places)]


def _table(node: Any, *path: str) -> dict[str, Any]:
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node if isinstance(node, dict) else {}


def _value(data: Mapping[str, Any], section: str, name: str) -> Any:
    """A value as given, or the default of its section."""
    return _table(data, section).get(name, SECTIONS[section].model_fields[name].default)


def _quantity(value: Any, unit: str) -> float | None:
    try:
        return In(unit).parse(value)
    except PydanticCustomError:
        return None


def _cells(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """Cell types that are seeded or injected, and fields that cells exchange with, must exist."""
    cells, fields = _table(data, "cells"), _table(data, "fields")
    for section in ("seeding", "injection"):
        for index, name in enumerate(_named(data, section)):
            if cells and isinstance(name, str) and name not in cells:
                where = places((section, str(index), "cell"))
                yield Fault("unknown cell type", ", ".join(cells), f"'{name}'", nearest(name, cells), where)
    yield from _conversions(cells, places)
    for name, cell in cells.items():
        for kind in ("uptake", "secretion", "induction"):
            for field in set(_table(cell, kind)) - set(fields):
                where = places(("cells", name, kind, field))
                yield Fault("unknown field", ", ".join(fields), f"'{field}'", nearest(field, fields), where)


def _conversions(cells: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """A cell type turns into another one that exists, and by one that exists."""
    for name in cells:
        ends = {key: _table(cells, name).get(key) for key in ("converts_to", "converted_by")}
        for key, other in ends.items():
            if isinstance(other, str) and other not in cells:
                where = places(("cells", name, key))
                yield Fault("unknown cell type", ", ".join(cells), f"'{other}'", nearest(other, cells), where)
        if (ends["converts_to"] is None) != (ends["converted_by"] is None):
            given, missing = sorted(ends, key=lambda key: ends[key] is None)
            where, remedy = places(("cells", name, given)), f'give cells.{name}.{missing} = "<type>", or remove {given}'
            yield Fault("a conversion is given by half", "converts_to and converted_by", given, remedy, where)
        if ends["converts_to"] == name:
            others = ", ".join(other for other in cells if other != name)
            where = places(("cells", name, "converts_to"))
            yield Fault("a cell type converts to itself", others, f"'{name}'", "name another type", where)


def _named(data: Mapping[str, Any], section: str) -> list[Any]:
    """The cell types that the entries of `seeding` or `injection` name; None where one names none."""
    entries = data.get(section)
    entries = entries if isinstance(entries, list) else []
    return [entry.get("cell") if isinstance(entry, dict) else None for entry in entries]


def _fields(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """Tissues that a field names must exist, and its settings go together."""
    for name, field in _table(data, "fields").items():
        if _table(data, "fields", name).get("time_scheme") == "implicit" and _quantity(field.get("interval"), "min"):
            where = places(("fields", name, "interval"))
            remedy = 'interval = "0 min", or time_scheme = "steady"'
            yield Fault("an implicit step spans one step of the run", "", f"{field['interval']}", remedy, where)
        enterable, lumen = ([tissues.NAMES[code] for code in codes] for codes in (tissues.ENTERABLE, tissues.LUMEN))
        named = (("relative_diffusivity", tissues.CODES), ("relative_background", enterable), ("blood", lumen))
        for kind, known in named:
            for tissue in set(_table(field, kind)) - set(known):
                where = places(("fields", name, kind, tissue))
                yield Fault("unknown tissue", ", ".join(known), f"'{tissue}'", nearest(tissue, known), where)


def _owners(data: Mapping[str, Any], places: Places, processes: Collection[str]) -> Iterator[Fault]:
    """A process that a field is there for exists."""
    for name, field in _table(data, "fields").items():
        owner = field.get("process") if isinstance(field, Mapping) else None
        if isinstance(owner, str) and owner not in processes:
            where = places(("fields", name, "process"))
            yield Fault("unknown process", ", ".join(processes), f"'{owner}'", nearest(owner, processes), where)


def _time(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """A run has at least one step, and nothing is written down more often than every step."""
    step = _quantity(_value(data, "time", "step"), "min")
    duration = _quantity(_value(data, "time", "duration"), "min")
    if not step:
        return
    if duration is not None and not 1 <= round(duration / step) <= MOST_STEPS:
        allowed = f"one step ({step:g} min) or more, and not more than {MOST_STEPS} steps"
        remedy = "a longer duration, or a shorter time.step" if duration < step else "a shorter duration"
        where = places(("time", "duration"))
        yield Fault("the run has no step, or too many", allowed, f"{duration:g} min", remedy, where)
    for name in Output.model_fields:
        every = _quantity(_value(data, "output", name), "min")
        if every is not None and every < step:
            where = places(("output", name))
            remedy = f'{name} = "{step:g} min", or a shorter time.step'
            yield Fault("this is shorter than a time step", f"{step:g} min or more", f"{every:g} min", remedy, where)


def _lattice(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """A lattice needs some voxels along every edge, and not more than can be counted."""
    size, voxel = _value(data, "geometry", "size"), _quantity(_value(data, "geometry", "voxel"), "um")
    edges = [_quantity(edge, "um") for edge in size] if isinstance(size, (list, tuple)) else []
    if _value(data, "geometry", "kind") == "image" or not voxel or len(edges) != 3 or None in edges:
        return
    counts = [round(edge / voxel) for edge in edges]
    given = " x ".join(f"{count}" for count in counts) + " voxels"
    if min(counts) < FEWEST_VOXELS:
        allowed = f"{FEWEST_VOXELS} voxels or more along every edge"
        yield Fault(
            "the box is too small for its voxels", allowed, given, "a larger size", places(("geometry", "size"))
        )
    if counts[0] * counts[1] * counts[2] > MOST_VOXELS:
        remedy = "a smaller size or a larger voxel"
        yield Fault("the lattice is too large", f"{MOST_VOXELS} voxels", given, remedy, places(("geometry", "size")))


def _image(data: Mapping[str, Any], places: Places, files: bool) -> Iterator[Fault]:
    """An image is there where it is asked for, and only there."""
    kind, image = _value(data, "geometry", "kind"), _table(data, "geometry", "image")
    if kind == "image" and not image:
        remedy = "give the file by --bone FILE, or as file under [geometry.image]"
        yield Fault(
            "no image is named", "kind = 'image' with [geometry.image]", "", remedy, places(("geometry", "kind"))
        )
    if kind != "image" and image:
        remedy = 'name the image by --bone FILE, or set geometry.kind = "image", or leave its spacing and crop out'
        yield Fault("the image would not be used", "", f"kind = '{kind}'", remedy, places(("geometry", "image")))
    file = image.get("file")
    if files and isinstance(file, (str, Path)) and not Path(file).expanduser().exists():
        remedy = "check the path; a relative one is looked up beside the scenario file"
        yield Fault(
            "there is no such image",
            "a file, or a folder of TIFF slices",
            str(file),
            remedy,
            places(("geometry", "image", "file")),
        )
    if image.get("threshold") is not None and image.get("labels") is not None:
        where = places(("geometry", "image", "threshold"))
        yield Fault("an image is either grey or labels", "threshold or labels", "both", "remove one of them", where)


def _vessels(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """Vessels come from somewhere, and blood needs them."""
    source = _value(data, "vessels", "source")
    labels = _table(data, "geometry", "image", "labels")
    if source == "labels" and not {"sinusoid", "arteriole"} & set(labels):
        remedy = 'name their values under [geometry.image.labels], or set vessels.source = "grown"'
        yield Fault("the labels of the vessels are not given", "", "", remedy, places(("vessels", "source")))
    soft = _is_soft(data) and _value(data, "soft_tissue", "vessel_volume_fraction") != 0
    if source == "none" and not soft and data.get("injection"):
        remedy = 'use [[seeding]] to put cells into the medium, or set vessels.source = "grown"'
        yield Fault("cells are injected into blood, but there are no vessels", "", "", remedy, places(("injection",)))


def _is_soft(data: Mapping[str, Any]) -> bool:
    """Whether there is soft tissue on the lattice."""
    width = _quantity(_value(data, "soft_tissue", "width"), "um")
    return _value(data, "geometry", "kind") == "soft" or bool(width)


def _sites(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """Cells are seeded into a site that there is, in a ball or shell that has an inside."""
    kind = _value(data, "geometry", "kind")
    width, voxel = (_quantity(_value(data, *key), "um") for key in (("soft_tissue", "width"), ("geometry", "voxel")))
    where = places(("soft_tissue", "width"))
    if kind in ("dish", "soft") and width:
        remedy = "set the extent by geometry.size, or take kind = 'trabecular' or 'image'"
        yield Fault("there is no marrow to put soft tissue beside", "0 um", f"kind = '{kind}'", remedy, where)
    elif width and voxel and round(width / voxel) < FEWEST_VOXELS:
        allowed = f"0 um, or {FEWEST_VOXELS * voxel:g} um or more"
        yield Fault("the slab of soft tissue is too thin for its voxels", allowed, f"{width:g} um", "", where)
    sites = ["soft_tissue"] if kind == "soft" else ["marrow", "soft_tissue"] if width else ["marrow"]
    entries = data.get("seeding")
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        if not isinstance(entry, dict):
            continue
        site, path = entry.get("site"), ("seeding", str(index))
        if site in ("marrow", "soft_tissue") and site not in sites:
            remedy = "set soft_tissue.width, or leave site out" if site == "soft_tissue" else "leave site out"
            where = places((*path, "site"))
            yield Fault("the lattice has no such site", ", ".join(sites), f"'{site}'", remedy, where)
        within, beyond = (_quantity(entry.get(name), "um") for name in ("within", "beyond"))
        if within and beyond and beyond >= within:
            given, where = f"beyond {beyond:g} um, within {within:g} um", places((*path, "beyond"))
            yield Fault("the shell has no inside", "beyond less than within", given, "swap them", where)
        if "centre" in entry and not (within or beyond):
            where = places((*path, "centre"))
            yield Fault("the centre would not be used", "", "no radius", "give within or beyond, too", where)


def _region(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """A region of interest is a ball or a box, in a specimen of bone."""
    region = data.get("region")
    if not isinstance(region, dict):
        return
    given = [name for name in ("within", "size") if region.get(name) is not None]
    if len(given) != 1:
        remedy = 'give within, such as within = "200 um"' if not given else "remove one of them"
        where = places(("region", given[-1]) if given else ("region",))
        what = "the region of interest is neither ball nor box" if not given else "the region is both ball and box"
        yield Fault(what, "within (radius) or size (edges x, y, z)", " and ".join(given) or "none", remedy, where)
    kind = _value(data, "geometry", "kind")
    if kind in ("dish", "soft"):
        what, allowed = "there is no bone for a region of interest", "kind = 'trabecular' or 'image'"
        yield Fault(what, allowed, f"kind = '{kind}'", "leave [region] out", places(("region",)))


def _drugs(data: Mapping[str, Any], places: Places) -> Iterator[Fault]:
    """Drugs that are given, and what they inhibit, must exist; every dose falls into the run."""
    drugs = _table(data, "drugs")
    for name, drug in drugs.items():
        for target in set(_table(drug, "inhibits")) - set(TARGETS):
            where = places(("drugs", name, "inhibits", target))
            yield Fault("unknown target of a drug", ", ".join(TARGETS), f"'{target}'", nearest(target, TARGETS), where)
    doses = data.get("dose")
    for index, dose in enumerate(doses if isinstance(doses, list) else []):
        if not isinstance(dose, dict):
            continue
        name = dose.get("drug")
        if drugs and isinstance(name, str) and name not in drugs:
            where = places(("dose", str(index), "drug"))
            yield Fault("unknown drug", ", ".join(drugs), f"'{name}'", nearest(name, drugs), where)
        yield from _dose_times(data, dose, ("dose", str(index)), places)


def _dose_times(data: Mapping[str, Any], dose: dict[str, Any], key: tuple[str, str], places: Places) -> Iterator[Fault]:
    """Several doses need the time between them, and none comes when the run is over."""
    count, every = dose.get("count"), _quantity(dose.get("every"), "min")
    repeats = isinstance(count, int) and not isinstance(count, bool) and count > 1
    if repeats and "every" not in dose:
        remedy = 'give every, such as every = "1 d"'
        yield Fault("the time between doses is not given", "", f"count = {count}", remedy, places((*key, "count")))
    begin = _quantity(dose.get("at", "0 min"), "min")
    duration = _quantity(_value(data, "time", "duration"), "min")
    if begin is None or not duration:
        return
    last = begin + (count - 1) * every if repeats and every else begin
    if last >= duration:
        remedy = "a longer time.duration, or an earlier dose"
        if last > begin:
            remedy = "a longer time.duration, or fewer doses; without count they go on to the end of the run"
        allowed = f"before {duration / 60:g} h"
        where = places((*key, "count" if last > begin else "at"))
        yield Fault("a dose comes after the end of the run", allowed, f"{last / 60:g} h", remedy, where)
