"""Scenario to configuration: units, catalogue, knock-outs, all faults at once."""

import numpy as np
import pytest

from marrowsim import catalogue
from marrowsim.config import SCENARIOS, load_config, scenario_text
from marrowsim.errors import ScenarioError
from marrowsim.parameters import MARKS, records
from marrowsim.processes import PROCESSES, SHIPPED, Clock
from marrowsim.processes.base import MOST_SUBSTEPS
from marrowsim.schedule import schedule_of, updates
from marrowsim.units import convert


def load(overrides=None, scenario="homing"):
    return load_config(scenario, PROCESSES, overrides)


def faults(overrides, scenario="homing"):
    with pytest.raises(ScenarioError) as caught:
        load(overrides, scenario)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize("name", SCENARIOS)
def test_bundled_scenarios_load_and_resolve_to_themselves(name):
    config = load(scenario=name)
    again = load_config(config.resolved(), PROCESSES)
    assert again == config
    assert again.digest() == config.digest()


def test_quantities_become_canonical_units():
    changes = {"time.step": "0.5 h", "cells.tumour.motility": "16.7 um^2/h", "stroma.car": "30000 cells/mm^3"}
    config = load(changes, "healthy")
    assert config.time.step == 30.0
    assert config.cells["tumour"].motility == pytest.approx(16.7 / 60)
    assert config.stroma.car == pytest.approx(3e-5)


def test_amounts_per_cell_become_concentrations_per_voxel():
    """60 molecules/s in 1 pL are 6 nM/min; 20 amol/s of oxygen there are 923 mmHg/min (table 1D, 1F)."""
    config = load()
    assert config.per_voxel("cxcl12", convert("60 molecule/s", "amol/min")) == pytest.approx(5.98, rel=1e-3)
    assert config.per_voxel("oxygen", convert("20 amol/s", "amol/min")) == pytest.approx(923.1, rel=1e-3)
    coarse = load({"geometry.voxel": "20 um"})
    assert coarse.per_voxel("oxygen", 1.0) == pytest.approx(config.per_voxel("oxygen", 1.0) / 8)


def test_any_step_divides_into_substeps_that_resolve_the_events():
    """Not more than 0.3 events expected in each, and as few sub-steps as that takes; they make up the step."""
    parts = list(Clock(step=7, dt=30.0, seed=1, threads=2).split(0.0374))
    assert [part.substep for part in parts] == [0, 1, 2, 3]
    assert all(part == Clock(7, 7.5, 1, 2, part.substep) for part in parts)
    assert list(Clock(7, 6.0, 1, 2).split(0.0374)) == [Clock(7, 6.0, 1, 2)]
    assert list(Clock(7, 6.0, 1, 2).split(0.0)) == [Clock(7, 6.0, 1, 2)]
    assert len(list(Clock(7, 240.0, 1, 2).split(1e9))) == MOST_SUBSTEPS
    config = load({"time.step": "30 min"})
    names = [process.name for process, _ in updates(schedule_of(config), config, Clock(7, 30.0, 1, 2))]
    own = ["injection", "drugs", "fields", "hypoxia", "conversion", "angiogenesis", "cycle"]
    assert names == [*own, *["motility", "niche", "circulation"] * 4]


def test_a_new_cell_type_is_data():
    config = load({"cells.fast": {"like": "tumour", "label": "fast tumour cell", "motility": "50 um^2/h"}})
    code = config.code("fast")
    assert config.column("motility")[code] == pytest.approx(50 / 60)
    assert config.column("cxcr4")[code] == config.column("cxcr4")[config.code("tumour")]


@pytest.mark.parametrize("arrow", list(catalogue.load("arrows")))
def test_every_arrow_changes_what_it_says_and_nothing_else(arrow):
    before, after = load().resolved(), load({"knockouts": [arrow]}).resolved()
    assert after.pop("knockouts") == [arrow]
    before.pop("knockouts")
    changed = {key for key in flat(before) | flat(after) if flat(before).get(key) != flat(after).get(key)}
    allowed = [key.split("*") for key in catalogue.load("arrows")[arrow]["set"]]
    assert changed
    for key in changed:
        assert any(key.startswith(parts[0]) and key.endswith(parts[-1]) for parts in allowed), key


def preset_leaves(name):
    values = catalogue.load("presets")[name]["set"]
    return dict(pair for section in values for pair in catalogue.leaves(values[section], section))


@pytest.mark.parametrize("preset", list(catalogue.load("presets")))
def test_every_preset_sets_what_it_says_and_nothing_else(preset):
    """Against the catalogue with the same values given one by one; every value is a parameter with source and mark."""
    leaves = preset_leaves(preset)
    config = load({"presets": [preset]})
    assert config == load({"presets": [preset]} | {key: leaf["value"] for key, leaf in leaves.items()})
    single = load({key: leaf["value"] for key, leaf in leaves.items()}).resolved()
    assert config.resolved() == single | {"presets": [preset]}
    for leaf in leaves.values():
        assert leaf["source"] and leaf["range"]
        assert set(leaf["mark"].split("/")) <= set(MARKS)


def test_presets_stand_below_the_scenario_and_knockouts_above():
    def gain(*presets, **changes):
        own = {f"cells.tumour.{name}": value for name, value in changes.items() if name != "knockouts"}
        config = load({"presets": list(presets), "knockouts": changes.get("knockouts", [])} | own)
        return config.cells["tumour"].bone_growth_gain

    assert gain() == gain("breast") == gain("myeloma", "breast") == 1.5
    assert gain("myeloma") == gain("breast", "myeloma") == 0.0
    assert gain("myeloma", bone_growth_gain=1.2) == 1.2
    assert gain("breast", bone_growth_gain=1.2, knockouts=["TGF-beta->growth"]) == 0.0
    child = load({"presets": ["myeloma"], "cells.child": {"like": "tumour", "label": "child"}})
    assert child.cells["child"].bone_growth_gain == 0.0
    assert load_config(child.resolved(), PROCESSES) == child


def flat(node, prefix=""):
    if isinstance(node, dict):
        return {key: value for name, child in node.items() for key, value in flat(child, f"{prefix}{name}.").items()}
    return {prefix[:-1]: str(node)}


def test_all_faults_come_at_once_each_with_its_remedy():
    found = faults({"time.stp": "6 min", "time.step": 6, "cells.tumor.cxcr4": 1, "geometry.voxel": "10 s"})
    text = "\n".join(found)
    assert len(found) == 4
    assert "did you mean 'step'?" in text
    assert "did you mean 'tumour'?" in text
    assert "without its unit" in text
    assert "'10 s' is not a quantity in um" in text


def test_a_fault_names_file_and_line(tmp_path):
    text = scenario_text("homing")[0].replace('step = "6 min"', 'step = "6 apples"')
    path = tmp_path / "mine.toml"
    path.write_text(text)
    line = 1 + text.splitlines().index('step = "6 apples"')
    assert f"{path}:{line}: time.step" in faults({}, path)[0]


def test_every_shipped_number_carries_a_source_and_a_mark():
    for name in ("cells", "fields", "drugs"):
        for key, record in catalogue.leaves(catalogue.load(name), name):
            assert record["source"], key
            assert record["range"], key
            assert set(record["mark"].split("/")) <= set(MARKS), key
    listed = [record for process in SHIPPED for record in records(process, process.name)]
    assert {record.key for record in listed} >= {"niche.binding_rate", "motility.attempts", "cycle.half_signal"}


def test_columns_follow_the_codes():
    config = load()
    assert config.cell_names[0] == "tumour"
    assert config.column("niche_affinity")[config.code("hpc")] == 1.0
    assert np.isinf(config.column("division_time")[config.code("car")])


COURSE = [{"from": "0 h", "value": "160 mmHg"}, {"from": "2 d", "value": "1 kPa"}]


def test_a_field_may_be_held_at_a_course():
    """Each value holds from its time on, and the resolved scenario is the same configuration."""
    config = load({"fields.oxygen.held_at": COURSE}, "culture")
    oxygen = config.fields["oxygen"]
    assert [oxygen.held(minutes) for minutes in (0.0, 2879.9, 1e9)] == [160.0, 160.0, pytest.approx(7.50, abs=0.01)]
    assert oxygen.held(2880.0) == oxygen.held(1e9)
    again = load_config(config.resolved(), PROCESSES)
    assert again == config
    assert again.digest() == config.digest()
    assert load(scenario="culture").fields["oxygen"].held(1e9) == 150.0


@pytest.mark.parametrize(
    ("course", "words"),
    [
        (COURSE[1:], "the first from 0 h"),
        ([COURSE[0], *COURSE[::-1]], "each one later"),
        ([], "the first from 0 h"),
        ([{"from": "0 h", "value": 7}], "a number without its unit"),
        ([{"from": "0 h", "value": "7 nM"}], "not a quantity in mmHg"),
        ([{"from": "0 um", "value": "7 mmHg"}], "not a quantity in min"),
        ([{"at": "0 h", "value": "7 mmHg"}], "no entry of a course"),
        (["7 mmHg"], "no entry of a course"),
    ],
)
def test_a_course_out_of_order_or_without_units_is_refused(course, words):
    found = faults({"fields.oxygen.held_at": course}, "culture")
    assert len(found) == 1
    assert words in found[0]
    assert "fields.oxygen.held_at" in found[0]
