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
    assert names == [
        "injection",
        "fields",
        "hypoxia",
        "angiogenesis",
        "cycle",
        *["motility", "niche", "circulation"] * 4,
    ]


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
    for name in ("cells", "fields"):
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
