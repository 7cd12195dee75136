"""Imports point down only."""

import ast
from pathlib import Path

import marrowsim
import marrowsim._engine
import marrowsim.viz

LAYERS = [
    {"errors", "units", "extras"},
    {"parameters", "tissues", "catalogue", "scenarios"},
    {"config"},
    {"_engine"},
    {"pockets", "fieldinputs", "fieldsolver", "field_summary", "bone_morphometry", "bone_surface"},
    {"geometry"},
    {"state", "seeding"},
    {"processes", "readouts", "bone_readouts", "vicious_cycle"},
    {"schedule"},
    {"simulation", "provenance", "estimate", "validation"},
    {"storage"},
    {"benchmarks", "experiments"},
    {"sweeps"},
    {"calibration"},
    {"viz"},
    {"export"},
    {"cli", "__main__"},
]
RENDERING = {"pyvista", "vtkmodules.vtkRenderingCore", "vtkmodules.vtkRenderingOpenGL2"}


def sources():
    """All Python files as pairs of layer name and path."""
    package = Path(marrowsim.__file__).parent
    for path in package.rglob("*.py"):
        name = path.relative_to(package).parts[0].removesuffix(".py")
        if name not in ("__init__", "viz", "_engine"):
            yield name, path
    for room, module in (("viz", marrowsim.viz), ("_engine", marrowsim._engine)):
        for path in Path(module.__file__).parent.glob("*.py"):
            yield room, path


def imported(path):
    """Layer names and full names that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module] if node.module != "marrowsim" else [f"marrowsim.{a.name}" for a in node.names]
        else:
            continue
        yield from names


def test_every_module_has_a_layer():
    known = set().union(*LAYERS)
    assert {name for name, _ in sources()} <= known


def test_imports_point_down():
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong = []
    for name, path in sources():
        for target in imported(path):
            parts = target.split(".")
            if parts[0] == "marrowsim" and len(parts) > 1 and parts[1] in level and level[parts[1]] > level[name]:
                wrong.append(f"{path.name} ({name}) imports {target}")
    assert wrong == []


def test_only_viz_renders():
    wrong = [
        f"{path.name}: {target}"
        for name, path in sources()
        for target in imported(path)
        if name != "viz" and target in RENDERING
    ]
    assert wrong == []
