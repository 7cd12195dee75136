"""Causal experiments as data: arms, readouts and a decision rule written beforehand, and what runs and judges them."""

from marrowsim.experiments.files import CLAIMS, experiment_text, load_experiment
from marrowsim.experiments.run import knockout

__all__ = ["CLAIMS", "experiment_text", "knockout", "load_experiment"]
