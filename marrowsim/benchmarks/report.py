"""Results as tables in Markdown, and their place in a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

LENGTH = "decay length (voxels)"
BEGIN, END = "<!-- marrowsim benchmark -->", "<!-- end of marrowsim benchmark -->"


def markdown(results: dict[str, Any], picture: str) -> str:
    """All tables of a run of the benchmarks; `picture` is the name of the file with the plots."""
    rows = results["rows"]
    sections = [
        _machine(results),
        f"![Time to an error of 1e-3 beside peers, cost per voxel and per cell against size]({picture})\n",
        _section("Fields", _fields(rows)),
        _section("Fields beside other solvers", _peers(rows)),
        _section("Motion", _motion(rows)),
        _section("Birth, death and migration, one cell a site", _automata(rows)),
        _section("Whole steps", _steps(rows)),
        _section("Growth with size", _growth(rows)),
        _section("Threads", _threads(rows)),
        _section("Hashes of the outcomes", _hashes(rows)),
    ]
    if results["left out"]:
        sections.insert(1, "Left out:\n\n" + "\n".join(f"- {line}" for line in results["left out"]) + "\n")
    return "\n".join(section for section in sections if section)


def placed(document: str, text: str) -> str | None:
    """The document with `text` between its two markers; `None` where it does not have them in order."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}" if begin and end else None


def number(value: Any) -> str:
    """A figure with three digits that count; words as they are."""
    if value is None:
        return "-"
    if isinstance(value, int | str):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown, or nothing where there are no lines."""
    body = [f"| {' | '.join(number(cell) for cell in line)} |" for line in lines]
    ruler = f"|{'---|' * len(header)}"
    return "\n".join([f"| {' | '.join(header)} |", ruler, *body]) + "\n" if body else ""


def summary(rows: list[dict]) -> Iterator[tuple[dict, str, str]]:
    """The rows that a reader asks for first, with what they are and a note."""
    for row in rows:
        values = row["values"]
        if row["group"] in ("field", "peer"):
            own = next(_only(rows, "field", name="cold", size=row["size"], **{LENGTH: values[LENGTH]}))
            note = f"{row['seconds'] / own['seconds']:.1f} x cold" if row["group"] == "peer" else ""
            yield row, f"field, {row['name']}, decay length {values[LENGTH]}", note
        elif row["group"] == "motion":
            yield row, f"motion, {values['occupied']:.0%} occupied", f"{per_mover(row):.1f} ns per mover and sub-step"
        elif row["group"] == "automaton":
            note = f"{values['ns per cell and step']:.1f} ns per cell and step"
            yield row, f"birth, death, migration: {row['name']}", note
        elif row["name"] in ("geometry", "whole step"):
            yield row, f"{values['scenario']}, {row['name']}", f"{number(row['ns per voxel'])} ns per voxel"


def _section(title: str, body: str) -> str:
    return f"### {title}\n\n{body}" if body else ""


def _only(rows: list[dict], group: str, threads: int | None = None, **values: Any) -> Iterator[dict]:
    """Rows of a group, with this number of threads (the first used where not given) and these values."""
    for row in rows:
        first = next(other["threads"] for other in rows if other["group"] == row["group"])
        if row["group"] == group and row["threads"] == (threads or first):
            known = row["values"] | row
            if all(known.get(key) == value for key, value in values.items()):
                yield row


def _machine(results: dict[str, Any]) -> str:
    machine = results["machine"]
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    revision = machine["git_revision"] or "no checkout"
    loads = [" ".join(map(str, results[key] or ["unknown"])) for key in ("load before", "load after")]
    yardsticks = table(
        ["voxels", "copy (ms)", "copy (ns/voxel)", "sweep (ms)"],
        [
            (
                f"{item['size']}^3",
                1e3 * item["copy (s)"],
                1e9 * item["copy (s)"] / item["size"] ** 3,
                1e3 * item["sweep (s)"],
            )
            for item in results["yardsticks"]
        ],
    )
    return (
        f"{machine['date']}, {results['seconds']:.0f} s; {machine['processor']}, {machine['cores']} cores; {caches}; "
        f"{machine['memory (GiB)']} GiB. marrowsim {machine['marrowsim']} ({revision}), "
        f"Python {machine['python']}, {packages}.\n"
        f"Load average (1, 5, 15 min) before {loads[0]}, after {loads[1]}.\n\n{yardsticks}"
    )


def _fields(rows: list[dict]) -> str:
    header = ["voxels", "decay length", "", "cycles", "error", "ms", "copies", "sweeps", "ns/voxel"]
    lines = [
        (
            f"{row['size']}^3", row["values"][LENGTH], row["name"], row["values"].get("cycles"),
            row["values"].get("error"), 1e3 * row["seconds"], row["copies"], row["sweeps"], row["ns per voxel"],
        )
        for row in _only(rows, "field")
    ]  # fmt: skip
    checks = [
        f"On {row['size']}^3, decay length {row['values'][LENGTH]}, the reference differs by "
        f"{row['values']['distance']:.1g} (relative L2) from conjugate gradients in float64."
        for row in _only(rows, "reference")
    ]
    return table(header, lines) + ("\n" + "\n".join(checks) + "\n" if checks else "")


def _peers(rows: list[dict]) -> str:
    header = ["voxels", "decay length", "", "iterations", "error", "ms", "copies", "sweeps", "us/voxel", "x marrowsim"]
    lines = []
    for peer in _only(rows, "peer"):
        length, size = peer["values"][LENGTH], peer["size"]
        own = next(_only(rows, "field", name="cold", size=size, **{LENGTH: length}))
        if not any(line[:2] == (f"{size}^3", length) for line in lines):
            lines.append(_peer_line(own, own, "marrowsim, from zero", own["values"]["cycles"]))
        lines.append(_peer_line(peer, own, peer["name"], peer["values"]["iterations"]))
        if "set-up (s)" in peer["values"]:
            building = peer["values"]["set-up (s)"]
            note = f"{peer['name'].split()[0]} set-up, apart"
            lines.append(
                (f"{size}^3", length, note, None, None, 1e3 * building,
                 peer["copies"] * building / peer["seconds"], peer["sweeps"] * building / peer["seconds"],
                 1e6 * building / size**3, building / own["seconds"])
            )  # fmt: skip
    return table(header, lines)


def _peer_line(row: dict, own: dict, name: str, iterations: int) -> tuple:
    return (
        f"{row['size']}^3", row["values"][LENGTH], name, iterations, row["values"]["error"], 1e3 * row["seconds"],
        row["copies"], row["sweeps"], 1e-3 * row["ns per voxel"], row["seconds"] / own["seconds"],
    )  # fmt: skip


def _motion(rows: list[dict]) -> str:
    header = ["voxels", "occupied", "movers", "ms", "ns per mover and sub-step", "copies", "sweeps", "B per cell"]
    return table(
        header,
        [
            (
                f"{row['size']}^3", f"{row['values']['occupied']:.0%}", row["values"]["movers"], 1e3 * row["seconds"],
                per_mover(row), row["copies"], row["sweeps"], row["values"]["bytes per cell"],
            )
            for row in _only(rows, "motion")
        ],
    )  # fmt: skip


def per_mover(row: dict) -> float:
    """Nanoseconds per mover and sub-step of a row of motion."""
    return 1e9 * row["seconds"] / row["values"]["movers"]


def _automata(rows: list[dict]) -> str:
    header = [
        "voxels",
        "cells",
        "",
        "ns per cell and step",
        "copies a step",
        "sweeps a step",
        "B per cell",
        "peak (MiB)",
    ]
    return table(
        header,
        [
            (
                f"{row['size']}^3", row["values"]["cells"], row["name"], row["values"]["ns per cell and step"],
                row["copies"], row["sweeps"], row["values"]["bytes per cell"], row["values"].get("peak memory (MiB)"),
            )
            for row in _only(rows, "automaton")
        ],
    )  # fmt: skip


def _steps(rows: list[dict]) -> str:
    header = ["scenario", "voxels", "", "ms", "copies", "sweeps", "ns/voxel", "cells", "peak B/voxel"]
    return table(
        header,
        [
            (
                row["values"]["scenario"], f"{row['size']}^3", row["name"], 1e3 * row["seconds"], row["copies"],
                row["sweeps"], row["ns per voxel"], row["values"].get("cells"), row["values"].get("bytes per voxel"),
            )
            for row in _only(rows, "step")
        ],
    )  # fmt: skip


def series(rows: list[dict]) -> dict[str, list[tuple[int, float]]]:
    """Cost against size: (voxels along an edge, ns) by what it is the cost of."""
    found: dict[str, list[tuple[int, float]]] = {}
    for name in ("cold", "warm"):
        for row in _only(rows, "field", name=name, **{LENGTH: 10}):
            found.setdefault(f"field, {name}, per voxel", []).append((row["size"], row["ns per voxel"]))
    for row in _only(rows, "step", name="whole step"):
        key = f"step of {row['values']['scenario']}, per voxel"
        found.setdefault(key, []).append((row["size"], row["ns per voxel"]))
    for row in _only(rows, "motion"):
        key = f"motion, {row['values']['occupied']:.0%} occupied, per mover"
        found.setdefault(key, []).append((row["size"], per_mover(row)))
    return found


def _growth(rows: list[dict]) -> str:
    found = {name: dict(points) for name, points in series(rows).items()}
    sizes = sorted({size for points in found.values() for size in points})
    if len(sizes) < 2:
        return ""
    header = ["ns", *(f"{size}^3" for size in sizes), "largest / smallest"]
    return table(
        header,
        [(name, *(points.get(size) for size in sizes), points[max(points)] / points[min(points)])
         for name, points in found.items()],
    )  # fmt: skip


def _threads(rows: list[dict]) -> str:
    lines = []
    for row in rows:
        if row["group"] not in ("field", "motion"):
            continue
        what = {key: row["values"][key] for key in (LENGTH, "occupied") if key in row["values"]}
        first = next(_only(rows, row["group"], name=row["name"], size=row["size"], **what))
        if row is not first:
            title = f"{row['group']}, {row['name']}, {', '.join(f'{key} {value}' for key, value in what.items())}"
            same = "the same" if row["hash"] == first["hash"] else "DIFFERENT"
            lines.append(
                (title, f"{row['size']}^3", first["threads"], row["threads"], 1e3 * first["wall (s)"],
                 1e3 * row["wall (s)"], first["wall (s)"] / row["wall (s)"], same)
            )  # fmt: skip
    return table(["", "voxels", "threads", "threads", "ms", "ms", "speed-up", "hash"], lines)


def _hashes(rows: list[dict]) -> str:
    lines = []
    for row in rows:
        if row["hash"]:
            keys = ("scenario", LENGTH, "occupied", "cells")
            what = ", ".join(f"{key} {row['values'][key]}" for key in keys if key in row["values"])
            lines.append((row["group"], row["name"], what, f"{row['size']}^3", row["threads"], f"`{row['hash']}`"))
    return table(["", "", "", "voxels", "threads", "hash"], lines)
