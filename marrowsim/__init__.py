"""marrowsim: a 3D hybrid cellular automaton of the bone marrow niche."""

import os

# Threads of the engine sleep at barriers instead of spinning: beside a busy neighbour, spinning
# threads cost 10-50 times. Must be set before the OpenMP library is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"
