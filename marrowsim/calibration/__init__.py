"""Calibration: which values of the parameters make the readouts meet targets, and how well they are known."""

from marrowsim.calibration.files import BUNDLED, calibration_text, load_calibration
from marrowsim.calibration.run import calibrate

__all__ = ["BUNDLED", "calibrate", "calibration_text", "load_calibration"]
