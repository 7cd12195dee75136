"""What is wrong with the file of a sweep is told at once, with the line, before anything is written."""

import pytest

from marrowsim.errors import ExperimentError
from marrowsim.sweeps import BUNDLED, load_sweep
from marrowsim.sweeps.designs import rows_of, size_of
from marrowsim.sweeps.model import Parameter

GRID = 'design = "grid"'
END = 'measure = "cxcr4"\noptions = { cell = "tumour" }\n'
RANGE = 'low = "0.1 nM"\nhigh = "10 nM"\nscale = "log"\ncount = 3'


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        (GRID, 'design = "random"', 6, "unknown word"),
        (GRID, GRID + "\nsamples = 8", 7, "a grid has no samples"),
        (GRID, 'design = "morris"', None, "a value is missing"),
        (GRID, 'design = "sobol"\nsamples = 12', 7, "no power of 2"),
        (GRID, 'design = "sobol"\nsamples = 8', 15, "count belongs to a grid"),
        (GRID, GRID + "\nreplicate = 3", 7, "unknown key"),
        ("fields.cxcl12.held_at", "fields.cxcl13.held_at", 18, "unknown entry"),
        ("fields.cxcl12.held_at", "seed", 15, "the seed is no parameter"),
        ("fields.cxcl12.held_at", "seeding.0.density", 23, "two parameters of one key"),
        ('low = "0.1 nM"', 'low = "20 nM"', 14, "the range is empty"),
        ('low = "0.1 nM"', 'low = "0 nM"', 14, "begins above 0"),
        ('low = "0.1 nM"', 'low = "1 um"', 14, "not a quantity in um"),
        ('low = "0.1 nM"', 'low = 0.1', 14, "has a unit, and others have none"),
        (RANGE, 'low = "1 um"\nhigh = "3 um"\ncount = 2', 17, "not a quantity in nM"),
        (RANGE, 'low = "-1 nM"\nhigh = "3 nM"\ncount = 2', 17, "out of bounds"),
        (RANGE, 'low = "1 nM"\ncount = 2', 14, "neither values nor a range"),
        (RANGE, 'low = "1 nM"\nhigh = "3 nM"', 14, "how many values?"),
        ('values = ["20000 /mm^3"', 'values = ["20000 /mm^3", "20000 /mm^3"', 22, "a value is there twice"),
        ('measure = "cxcr4"', 'measure = "cxcr5"', 34, "unknown measure"),
        ('time.duration = "6 h"', 'time.durations = "6 h"', None, "unknown key"),
        ('measure = "cxcr4"', 'measure = "cxcr4"\nat = "2 d"', None, "after the end of the run"),
        (END, END + '\n[reference]\nset.receptor.antagonist = "1 uM"\n', None, "a value is missing"),
        (END, END + '\n[reference]\nreadouts = ["cell"]\n', 38, "unknown readout"),
        (END, END + '\n[reference]\nreadouts = ["cells"]\n', 38, "has no unit"),
        (END, END + '\n[reference]\nreadouts = ["CXCR4"]\nknockouts = ["CXCR5"]\n', 37, "unknown arrow"),
        (END, END + '\n[reference]\nreadouts = ["CXCR4"]\nset.receptor.x = 1\n', 37, "unknown key"),
        (END, END + '\n[reference]\nreadouts = ["CXCR4"]\nset.seed = 1\n', 39, "those of the replicates"),
        ("[set]", '[set]\nknockouts = ["CXCR4"]', 10, "knockouts stand beside set"),
    ],
)  # fmt: skip
def test_faults(old, new, line, what, tiny):
    path = tiny((old, new))
    with pytest.raises(ExperimentError) as error:
        load_sweep(path)
    found = [fault for fault in error.value.faults if what in fault.what + fault.given]
    assert found, error.value
    if line is not None:
        assert any(fault.where.startswith(f"{path}:{line}:") for fault in found), error.value


def test_all_faults_come_at_once(tiny):
    path = tiny(
        (GRID, 'design = "sobol"\nsamples = 12'), ('measure = "cxcr4"', 'measure = "cxcr5"'), ('id = "tiny"', 'id = ""')
    )
    with pytest.raises(ExperimentError) as error:
        load_sweep(path)
    assert len(error.value.faults) >= 3


def test_no_toml(tmp_path):
    (tmp_path / "no.toml").write_text("a b")
    with pytest.raises(ExperimentError, match="not valid TOML"):
        load_sweep(tmp_path / "no.toml")


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled(name):
    pytest.importorskip("SALib")
    source = load_sweep(name)
    assert source.sweep.id == name
    assert len(rows_of(source.sweep)) == source.sweep.samples * (len(source.sweep.parameter) + 2)


def test_places_of_a_range():
    parameter = Parameter(key="a.b", low="0.1 nM", high="10000 pM", scale="log")
    assert parameter.unit == "nM" and parameter.title == "a.b (nM)"
    assert [parameter.at(share) for share in (0.0, 0.5, 1.0)] == ["0.1 nM", "1.0 nM", "10.0 nM"]
    plain = Parameter(key="a.b", low=0, high=1)
    assert plain.unit == "" and plain.at(0.25) == 0.25 and plain.title == "a.b"
    rate = Parameter(key="a.b", low="1 /d", high="48 /d")
    assert rate.at(0.0) == "1.0 1/d" and rate.shown("2 /h") == 48.0


def test_places_of_values():
    words = Parameter(key="a.b", values=["3 d", "never"])
    assert not words.numeric and [words.shown(value) for value in words.values] == [3.0, "never"]
    assert [words.at(share) for share in (0.0, 0.49, 0.5, 1.0)] == ["3 d", "3 d", "never", "never"]
    switches = Parameter(key="knockouts", values=[[], ["CXCR4"]])
    assert switches.at(0.9) == ["CXCR4"] and switches.unit == "" and not switches.numeric
    assert Parameter(key="a.b", values=["1 h", "1 d"]).numeric


def test_a_hypercube_has_one_point_in_each_slice(tiny):
    path = tiny((GRID, 'design = "latin hypercube"\nsamples = 10'), ("\ncount = 3", ""))
    rows = rows_of(load_sweep(path).sweep)
    for number in range(2):
        assert sorted(int(row.place[number] * 10) for row in rows) == list(range(10))


def test_a_grid_has_every_combination(tiny):
    rows = rows_of(load_sweep(tiny()).sweep)
    cxcl12 = [row.settings["fields.cxcl12.held_at"] for row in rows]
    assert cxcl12 == ["0.1 nM"] * 2 + ["1.0 nM"] * 2 + ["10.0 nM"] * 2
    assert [row.settings["seeding.0.density"] for row in rows] == ["20000 /mm^3", "6e-5 /um^3"] * 3


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ([], 6),
        ([(GRID, 'design = "halton"\nsamples = 10'), ("\ncount = 3", "")], 10),
        ([(GRID, 'design = "sobol"\nsamples = 8'), ("\ncount = 3", "")], 32),
        ([(GRID, 'design = "morris"\nsamples = 5'), ("\ncount = 3", "")], 15),
    ],
)
def test_the_size_of_a_design_is_known_beforehand(tiny, changes, number):
    sweep = load_sweep(tiny(*changes)).sweep
    assert size_of(sweep) == len(rows_of(sweep)) == number


def test_too_many_points_are_refused_before_they_are_made(tiny):
    path = tiny(("\ncount = 3", "\ncount = 600000"))
    with pytest.raises(ExperimentError, match="too many points"):
        rows_of(load_sweep(path).sweep)
