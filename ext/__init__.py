"""The compiled lattice engine: loops over arrays, scalars and lookup tables, nothing else.

Installed as `marrowsim._engine`. The kernels name no cell type, tissue or cytokine; what the
numbers mean is the business of `marrowsim.processes`.
"""

if __name__ != "marrowsim._engine":
    raise ImportError("the engine is imported as marrowsim._engine; install the project first: pip install .")
