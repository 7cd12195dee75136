"""A run of the whole model on a few thousand voxels, with everything written down often."""

import pytest

from marrowsim.config import load_config
from marrowsim.geometry.build import build_geometry
from marrowsim.processes import PROCESSES
from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder

SCENARIO = """
title = "A few voxels of marrow"
seed = 3

[time]
duration = "2 h"
step = "6 min"

[geometry]
size = ["170 um", "160 um", "150 um"]

[vessels]
volume_fraction = 0.2

[[injection]]
cell = "tumour"
density = "60000 /mm^3"

[[dose]]
drug = "plerixafor"
amount = "80 ug/kg"
at = "20 min"
every = "37 min"

[soft_tissue]
width = "80 um"
vessel_volume_fraction = 0.03
vessel_distance = "60 um"
fibroblast = "20000 /mm^3"

[[seeding]]
cell = "tumour"
density = "200000 /mm^3"
site = "soft_tissue"

[cells.tumour]
extravasation_time = "30 min"
dormancy = "0 h"
division_time = "1 h"
displacement_rate = "1 /h"
egress_rate = "1 /h"

[cells.fibroblast]
conversion_rate = "1 /h"

[cells.car]
conversion_rate = "1 /h"

[cells.epc]
influx = "20000 /(mm^3 h)"
extravasation_time = "10 min"
arrest_rate = "0.1 /min"

[processes.angiogenesis]
tip_rate = "1 /h"
threshold = "1e-5 nM"
tip_speed = "60 um/h"
lumen_time = "18 min"

[output]
readouts_every = "12 min"
frames_every = "24 min"
checkpoint_every = "18 min"
"""


@pytest.fixture(scope="session")
def scenario_file(tmp_path_factory):
    """The scenario as a file."""
    path = tmp_path_factory.mktemp("scenario") / "few.toml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="session")
def beginner():
    """A function that gives, for a scenario file, one that makes its simulation anew on the bone grown once."""

    def of_file(path):
        geometry = build_geometry(load_config(path, PROCESSES))

        def make(*, threads=1, **overrides):
            return Simulation(load_config(path, PROCESSES, overrides), geometry=geometry, threads=threads)

        return make

    return of_file


@pytest.fixture(scope="session")
def record_whole(tmp_path_factory):
    """A function that runs a simulation to its end without a stop, and gives its folder."""

    def record(simulation):
        with RunFolder.create(tmp_path_factory.mktemp("whole") / "run", simulation) as folder:
            simulation.run(recorders=[folder])
        return folder.path

    return record


@pytest.fixture(scope="session")
def begin(scenario_file, beginner):
    """A function that makes the simulation of the scenario anew."""
    return beginner(scenario_file)


@pytest.fixture(scope="session")
def whole(begin, record_whole):
    """The folder of the run that was never stopped."""
    return record_whole(begin())
