"""What pictures take: the lattice itself is never copied, and what is left are surfaces."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder, open_run
from marrowsim.viz import opengl

pytest.importorskip("pyvista")
from vtkmodules.util.numpy_support import vtk_to_numpy

from marrowsim.viz import meshes
from marrowsim.viz.description import FIELD_WAYS, Scene
from marrowsim.viz.stage import Stage, new_plotter

needs_opengl = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")
OVERRIDES = {"geometry.size": ["200 um"] * 3, "time.duration": "1 h"}

# Shows a frame of 200^3 voxels and 4e5 cells in one way, and prints by how many of its lattices the process grew.
GROWTH = """
import gc, sys
from pathlib import Path
from made_block import block
from marrowsim.viz import parts
from marrowsim.viz.description import Scene
from marrowsim.viz.stage import Stage, new_plotter
def memory(name):
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if name in line)
warm, frame = block(48, 100), block(200, 400_000)
scenes = {"slab": parts.opened(frame, Scene()), "whole": Scene(), "volume": Scene(layers="cxcl12", field_as="volume")}
for scene, shown in ((Scene(), warm), (scenes[sys.argv[1]], frame)):
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    stage = Stage(new_plotter((960, 720)), scene)
    stage.show(shown)
    stage.image()
    growth = memory("VmHWM") - before
print(1024 * growth / (frame.tissue.nbytes + sum(field.nbytes for field in frame.fields.values())))
"""


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    """A frame as it is read from a run folder."""
    path = tmp_path_factory.mktemp("memory") / "run"
    simulation = Simulation.from_scenario("homing", seed=1, threads=1, overrides=OVERRIDES)
    with RunFolder.create(path, simulation) as recorder:
        simulation.run(recorders=[recorder])
    return open_run(path).frames[-1]


def arrays_of(dataset):
    """Every array that VTK holds for a dataset, seen by numpy without pyvista."""
    for data in (dataset.GetPointData(), dataset.GetCellData()):
        for index in range(data.GetNumberOfArrays()):
            yield vtk_to_numpy(data.GetArray(index))


def owners(frame):
    return [frame.tissue, *frame.fields.values()]


@needs_opengl
@pytest.mark.parametrize("way", FIELD_WAYS)
def test_what_vtk_holds_of_a_lattice_is_the_frames_own_memory(frame, way):
    stage = Stage(new_plotter((300, 260)), Scene(field_as=way))
    stage.show(frame)
    stage.image()
    shown = [prop.GetMapper().GetInputDataObject(0, 0) for prop in stage.plotter.renderer.actors.values()]
    whole = [dataset for dataset in shown if dataset.GetNumberOfPoints() == frame.tissue.size]
    assert len(whole) == (way == "volume")
    for dataset in whole:
        (values,) = arrays_of(dataset)
        assert np.shares_memory(values, frame.fields["cxcl12"])
        assert sum(np.shares_memory(values, own) for own in owners(frame)) == 1
    stage.plotter.close()


def test_the_exported_lattice_is_the_frames_own_memory(frame):
    found = list(arrays_of(meshes.lattice(frame)))
    assert len(found) == 1 + len(frame.fields) + (frame.bone_change is not None)
    assert all(any(np.shares_memory(values, own) for own in owners(frame)) for values in found[: 1 + len(frame.fields)])


@needs_opengl
@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(("way", "lattices"), [("slab", 2.0), ("whole", 12.0), ("volume", 2.0)])
def test_a_frame_of_200_voxels_takes_few_lattices_of_memory(way, lattices):
    """Found: 1.2, 8.8, 1.1. The whole is all sinusoids' surface and 4e5 cells, the volume a texture of the driver."""
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n{GROWTH}"
    command = [sys.executable, "-P", "-c", program, way]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert 0.2 < float(done.stdout) < lattices
