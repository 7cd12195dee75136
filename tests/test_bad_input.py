"""Bad input ends in one clear message and exit code 2; nothing is written, and nothing is lost."""

import errno
import json
import os
import shutil
import subprocess
import sys

import h5py
import nibabel
import numpy as np
import pytest
import tifffile
from filelock import FileLock
from typer.testing import CliRunner

from marrowsim import __version__
from marrowsim.cli.app import app
from marrowsim.config import scenario_text
from marrowsim.storage import checkpoints as storage_checkpoints
from marrowsim.storage import files as storage_files
