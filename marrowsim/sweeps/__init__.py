"""Sweeps: a scenario at many values of its parameters, and how much its readouts depend on each of them."""

from marrowsim.sweeps.files import BUNDLED, load_sweep, sweep_text
from marrowsim.sweeps.run import sweep

__all__ = ["BUNDLED", "load_sweep", "sweep", "sweep_text"]
