"""Scenario to `Config`: parsing, units, checks."""

from marrowsim.config.entities import CellType, FieldType
from marrowsim.config.load import SCENARIOS, load_config, scenario_text
from marrowsim.config.model import Config
from marrowsim.config.own_process import OwnProcess, OwnReadout
from marrowsim.config.pharmacology import Drug

__all__ = [
    "SCENARIOS",
    "CellType",
    "Config",
    "Drug",
    "FieldType",
    "OwnProcess",
    "OwnReadout",
    "load_config",
    "scenario_text",
]
