"""Pictures of runs (PyVista/VTK, and matplotlib where there is no OpenGL).

Installed as `marrowsim.viz`, and the only place of the project that renders.
"""

if __name__ != "marrowsim.viz":
    raise ImportError("the pictures are imported as marrowsim.viz; install the project first: pip install .")
