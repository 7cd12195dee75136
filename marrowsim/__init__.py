"""marrowsim: a 3D hybrid cellular automaton of the bone marrow niche.

>>> import marrowsim as ms
>>> sim = ms.Simulation.from_scenario("homing", seed=1)
>>> sim.run(days=1)
>>> sim.readouts          # pandas
>>> sim.state.fields["cxcl12"]  # numpy, [z, y, x], nM
"""

import importlib
import os

# Threads of the engine wait at barriers for some tens of microseconds, about as long as waking takes, and
# then sleep: beside a busy neighbour, threads that go on spinning cost 10-50 times. Must be set before the
# OpenMP library is loaded; who sets a policy of their own keeps it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    os.environ["OMP_WAIT_POLICY"] = "passive"

__version__ = "0.1.0"

# Loaded on first use, so that `marrowsim --help` does not wait for the scientific libraries.
_PUBLIC = {
    "Simulation": "marrowsim.simulation",
    "Clock": "marrowsim.processes",
    "Status": "marrowsim.state",
    "load_config": "marrowsim.config",
    "OwnProcess": "marrowsim.config",
    "OwnReadout": "marrowsim.config",
    "parameter": "marrowsim.parameters",
    "RunFolder": "marrowsim.storage",
    "open_run": "marrowsim.storage",
    "steady_field": "marrowsim.fieldsolver",
    "FieldSolver": "marrowsim.fieldsolver",
    "fabric": "marrowsim.bone_morphometry",
    "morphometry": "marrowsim.bone_morphometry",
    "knockout": "marrowsim.experiments",
    "calibrate": "marrowsim.calibration",
    "sweep": "marrowsim.sweeps",
    "MarrowsimError": "marrowsim.errors",
    "view": "marrowsim.viz.notebook",
}

__all__ = [
    "Clock",
    "FieldSolver",
    "MarrowsimError",
    "OwnProcess",
    "OwnReadout",
    "RunFolder",
    "Simulation",
    "Status",
    "__version__",
    "calibrate",
    "fabric",
    "knockout",
    "load_config",
    "morphometry",
    "open_run",
    "parameter",
    "steady_field",
    "sweep",
    "view",
]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'marrowsim' has no attribute '{name}'")


def __dir__():
    return sorted(__all__)
