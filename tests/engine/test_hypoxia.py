"""The response of cells to hypoxia against its closed form, and who responds."""

import math

import numpy as np
import pytest

from marrowsim import Simulation, steady_field, tissues
from marrowsim.config import load_config
from marrowsim.errors import ScenarioError
from marrowsim.fieldsolver import FieldSolver
from marrowsim.processes import PROCESSES, Clock
from marrowsim.processes.fields import by_cell, by_tissue, is_due
from marrowsim.state import Status

SHAPE = (9, 10, 11)
TYPE = {"label": "cell", "cxcr4": 1.0, "cxcr4_spread": 0.3, "cxcr4_induction": 3.0}
RISE, FALL = 600.0, 240.0


def hill(pressure):
    return 1 / (1 + (np.asarray(pressure, float) / 13.0) ** 3)


def state_of(make_state, pressure, types=None, overrides=None):
    """A box full of cells at one pO2, or at a pO2 for every voxel; types take turns."""
    types = types or {"cell": TYPE}
    sites = np.arange(math.prod(SHAPE))
    state = make_state(
        SHAPE, {name: sites[i :: len(types)] for i, name in enumerate(types)}, types, overrides=overrides
    )
    state.fields["oxygen"][...] = pressure
    return state


def live(state, minutes, dt, threads=1):
    process = state.config.processes["hypoxia"]
    for step in range(round(minutes / dt)):
        process.update(state, Clock(step, dt, 1, threads))
    return state.cells


@pytest.mark.parametrize("dt", [6.0, 30.0])
@pytest.mark.parametrize(("pressure", "start", "time"), [(7.0, 0.0, RISE), (160.0, 1.0, FALL), (20.0, 0.9, FALL)])
def test_response_is_the_exact_exponential_whatever_the_step(make_state, dt, pressure, start, time):
    state = state_of(make_state, pressure)
    state.cells.hypoxia[:] = start
    cells = live(state, 360.0, dt)
    target = hill(pressure)
    expected = target + (start - target) * math.exp(-360.0 / time)
    np.testing.assert_allclose(cells.hypoxia, expected, atol=3e-6)
    np.testing.assert_allclose(cells.cxcr4, cells.constitutive * (1 + 2 * expected), rtol=1e-5)


def test_start_is_the_steady_state_of_every_pressure(make_state):
    """From anoxia to normoxia, against NumPy; anoxia gives the response in full."""
    pressure = np.linspace(0.0, 160.0, math.prod(SHAPE)).reshape(SHAPE)
    state = state_of(make_state, pressure)
    state.config.processes["hypoxia"].prepare(state, Clock(0, 6.0, 1, 1))
    assert state.cells.hypoxia[0] == 1.0
    np.testing.assert_allclose(state.cells.hypoxia, hill(state.fields["oxygen"].ravel()), rtol=1e-6)


def test_level_of_the_kernel_is_that_of_the_state(make_state):
    """A daughter gets her level from `State.express`: the same bits."""
    pressure = np.linspace(0.0, 60.0, math.prod(SHAPE)).reshape(SHAPE)
    cells = live(state := state_of(make_state, pressure), 30.0, 6.0, threads=3)
    by_kernel = cells.cxcr4.copy()
    state.express()
    np.testing.assert_array_equal(cells.cxcr4, by_kernel)


def test_threads_change_no_bit(make_state):
    pressure = np.linspace(0.0, 60.0, math.prod(SHAPE)).reshape(SHAPE)
    found = [live(state_of(make_state, pressure), 30.0, 6.0, threads).hypoxia.copy() for threads in (1, 2, 5)]
    assert len(np.unique(found[0])) > 500
    assert all((other == found[0]).all() for other in found[1:])


def test_cell_types_respond_by_oxygen_never_or_always(make_state):
    types = {name: {**TYPE, "hif": name} for name in ("responsive", "absent", "constitutive")}
    state = state_of(make_state, 13.0, types)
    cells = live(state, 600.0, 6.0)
    names = np.array(state.config.cell_names)[cells.type]
    expected = {"responsive": 0.5 * (1 - math.exp(-1)), "absent": 0.0, "constitutive": 1.0}
    for name, response in expected.items():
        own = names == name
        np.testing.assert_allclose(cells.hypoxia[own], response, atol=3e-6)
        np.testing.assert_allclose(cells.cxcr4[own], cells.constitutive[own] * (1 + 2 * response), rtol=1e-5)


def test_all_responsive_cells_sense_the_clamp(make_state):
    types = {name: {**TYPE, "hif": name} for name in ("responsive", "constitutive")}
    state = state_of(make_state, 1.0, types, {"hypoxia.sensed": "160 mmHg"})
    cells = live(state, 6.0, 6.0)
    constitutive = cells.type == state.config.code("constitutive")
    assert (cells.hypoxia[constitutive] == 1.0).all()
    np.testing.assert_allclose(cells.hypoxia[~constitutive], hill(160.0), rtol=1e-6)


def test_circulating_cells_sense_the_blood(make_state):
    state = make_state(SHAPE, {}, {"cell": TYPE}, {"hypoxia.blood_pressure": "26 mmHg"})
    state.fields["oxygen"][...] = 0.0
    state.add_cells(state.config.code("cell"), np.full(3, -1), np.ones(3), Status.CIRCULATING, hypoxia=1.0)
    cells = live(state, FALL, 6.0)
    np.testing.assert_allclose(cells.hypoxia, 1 / 9 + 8 / 9 * math.exp(-1), atol=3e-6)


def test_marrow_starts_with_cells_and_their_secretion_in_the_steady_state():
    """CXCL12 of the first solution is that of cells whose response is complete."""
    simulation = Simulation.from_scenario("healthy", threads=1, overrides={"geometry.size": ["150 um"] * 3})
    state = simulation.state
    placed = state.cells.site >= 0
    pressure = state.fields["oxygen"].reshape(-1)[state.cells.site[placed]]
    np.testing.assert_allclose(state.cells.hypoxia[placed], hill(pressure), atol=1e-4)
    before = state.fields["cxcl12"].copy()
    simulation.run(steps=1)
    marrow = state.tissue == tissues.MARROW
    change = state.fields["cxcl12"][marrow].mean() / before[marrow].mean() - 1
    assert abs(change) < 0.005


def test_a_field_that_nobody_secretes_is_not_solved(monkeypatch):
    solve, solved = FieldSolver.solve, []

    def counted(self, *args, **terms):
        solved.append(self.diffusivity)
        return solve(self, *args, **terms)

    monkeypatch.setattr(FieldSolver, "solve", counted)
    overrides = {"geometry.size": ["150 um"] * 3, "stroma.fibroblast": "0 /mm^3", "fields.vegf.interval": "0 min"}
    simulation = Simulation.from_scenario("healthy", threads=1, overrides=overrides)
    simulation.run(steps=2)
    state, diffusivity = simulation.state, simulation.config.fields["vegf"].diffusivity
    assert solved
    assert diffusivity not in solved
    assert not state.fields["vegf"].any()
    free = np.flatnonzero((state.tissue.ravel() == tissues.MARROW) & (state.occupant.ravel() < 0))
    state.add_cells(simulation.config.code("tumour"), free[:5], np.ones(5), hypoxia=1.0)
    simulation.run(steps=1)
    assert solved.count(diffusivity) == 1
    assert state.fields["vegf"].max() > 0


def test_fields_of_one_permeability_share_a_solver_and_keep_their_own_diffusivity():
    """VEGF and CXCL12 of the process, each against a solver of its own."""
    overrides = {"geometry.size": ["150 um"] * 3, "fields.cxcl12.relative_diffusivity.soft_tissue": 1.0}
    simulation = Simulation.from_scenario("healthy", threads=1, overrides=overrides)
    state, config = simulation.state, simulation.config
    process = config.processes["fields"]
    assert len(process._solvers) == 2
    marrow = state.tissue == tissues.MARROW
    source, decay, _ = process._exchange(state, Clock(0, 6.0, 1, 1), "vegf", config.fields["vegf"])
    expected = steady_field(marrow, source, diffusivity=600.0, decay=decay, spacing=10.0)
    np.testing.assert_allclose(state.fields["vegf"], expected, rtol=2e-3, atol=1e-8)


def test_induction_is_data_of_cell_types_and_walls():
    """Table 1C: fibroblast and CAF 2.5, CAR 1.5, endothelium 4, VEGF 5 and 1.5, CXCR4 3; CAFs secrete five-fold."""
    config = Simulation.from_scenario("culture", threads=1, overrides={"geometry.size": ["100 um"] * 3}).config
    induction = {name: by_cell(config, "cxcl12")[config.code(name), 1] for name in ("fibroblast", "caf", "car")}
    assert induction == {"fibroblast": 2.5, "caf": 2.5, "car": 1.5}
    wall = by_tissue(config, "cxcl12", config.fields["cxcl12"])[tissues.MARROW, 1]
    assert wall[3] / wall[0] == pytest.approx(3.0)
    vegf = by_cell(config, "vegf")[:, 1]
    assert (vegf[config.code("tumour")], vegf[config.code("fibroblast")]) == (5.0, 1.5)
    assert config.cells["tumour"].cxcr4_induction == 3.0
    secretion = config.exchange("secretion", "cxcl12")
    assert secretion[config.code("caf")] / secretion[config.code("fibroblast")] == pytest.approx(5.0)


def test_a_slow_field_is_solved_once_an_interval():
    """VEGF every 2 h: at steps of 30 min in the 4th, 8th ...; of 50 min in the 3rd, 5th, 8th; of 3 h in each."""
    overrides = {"geometry.size": ["150 um"] * 3, "fields.vegf.interval": "2 h"}
    config = Simulation.from_scenario("healthy", threads=1, overrides=overrides).config
    vegf, oxygen = config.fields["vegf"], config.fields["oxygen"]
    for dt, due in ((30.0, [0, 4, 8]), (50.0, [0, 3, 5, 8]), (180.0, list(range(9)))):
        assert [step for step in range(9) if is_due(vegf, Clock(step, dt, 1, 1))] == due
        assert all(is_due(oxygen, Clock(step, dt, 1, 1)) for step in range(9))
    with pytest.raises(ScenarioError, match="an implicit step spans one step"):
        load_config("healthy", PROCESSES, {"fields.vegf.time_scheme": "implicit"})


def test_a_step_without_a_solution_has_the_diagnostics_of_one():
    """So that readouts have the same columns after a resume at any step."""
    overrides = {"geometry.size": ["150 um"] * 3, "time.step": "30 min", "fields.vegf.quasi_steady_check": True}
    simulation = Simulation.from_scenario("healthy", threads=1, overrides=overrides)
    simulation.run(steps=1)
    columns = set(simulation.state.diagnostics)
    assert "vegf quasi-steady error" in columns
    simulation.state.diagnostics.clear()
    simulation.run(steps=1)
    assert set(simulation.state.diagnostics) == columns
    assert simulation.state.diagnostics["vegf update norm"] == 0.0
