"""Cost of pictures drawn in software: the first of a new stage, and the next one with other cells (a slider moved)."""

import numpy as np
import pytest

from marrowsim.viz import opengl

pytest.importorskip("pyvista")
from marrowsim.viz import parts
from marrowsim.viz.description import Scene
from marrowsim.viz.stage import Stage, new_plotter

pytestmark = pytest.mark.skipif(not opengl.rendering_available(), reason=f"no OpenGL here; remedy: {opengl.REMEDY}")
SIZE = (960, 720)


def drawn(stage):
    """What `record` compares: places of the cells and numbers of the legend, which no driver and no VTK changes."""
    actors = [stage.actors[name] for name in sorted(stage.actors) if name.split()[0] in ("layer:car", "layer:tumour")]
    places = [np.asarray(actor.mapper.dataset.points) for actor in actors]
    return np.concatenate(places), np.array([entry.shown for entry in stage.legend if entry.total is not None])


@pytest.fixture(scope="module", params=[128, pytest.param(200, marks=pytest.mark.large)])
def frames(request, block):
    """A lattice of that edge with 1e5 cells in 128^3 (4e5 in 200^3), and the same with the cells elsewhere."""
    edge, cells = request.param, 100_000 if request.param == 128 else 400_000
    return block(edge, cells), block(edge, cells, seed=1)


@pytest.fixture(params=["slab", "whole"])
def scene(request, frames):
    """What a page begins with, and the whole lattice."""
    return parts.opened(frames[0], Scene()) if request.param == "slab" else Scene()


def test_first_picture(frames, scene, benchmark, record):
    made = []

    def first():
        stage = Stage(new_plotter(SIZE), scene)
        stage.show(frames[0])
        stage.image()
        made.append(stage)

    benchmark.pedantic(first, rounds=3)
    record(benchmark, *drawn(made[-1]))
    for stage in made:
        stage.plotter.close()


def test_next_picture(frames, scene, benchmark, record):
    stage = Stage(new_plotter(SIZE), scene)
    stage.show(frames[0])
    stage.image()
    shown = iter([1, 0] * 100)

    def following():
        stage.show(frames[next(shown)])
        stage.image()

    benchmark.pedantic(following, rounds=5)
    stage.show(frames[1])
    record(benchmark, *drawn(stage))
    stage.plotter.close()
