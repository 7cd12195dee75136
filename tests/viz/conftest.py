"""A small marrow made up for pictures (plates of bone, vessels, cells beside them, two fields), and a browser."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter
from scipy.spatial import Voronoi, cKDTree

from marrowsim.simulation import Simulation
from marrowsim.storage import RunFolder

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

MARROW, BONE, SINUSOID, ARTERIOLE = 1, 2, 3, 4


def scattered(count):
    """Points that fill the unit cube evenly (additive recurrence of the plastic constant; Roberts 2018)."""
    plastic = 1.2207440846057596
    return (0.5 + np.outer(np.arange(1, count + 1), plastic ** -np.arange(1.0, 4.0))) % 1.0


def shuffled(indices, salt=1):
    """The indices in a fixed order without pattern (multiplicative hashing)."""
    keys = indices.astype(np.uint64) + np.uint64(salt * 1_000_003)
    for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        keys = (keys ^ (keys >> np.uint64(29))) * np.uint64(factor)
    return indices[np.argsort(keys, kind="stable")]


def tubes(shape, seeds, radius):
    """The edges of a Voronoi tessellation as tubes."""
    size = np.array(shape)
    diagram = Voronoi(scattered(seeds) * size * 1.3 - 0.15 * size)
    lines = np.ones(shape, bool)
    for ridge in diagram.ridge_vertices:
        for first, second in zip(ridge, [*ridge[1:], ridge[0]], strict=True):
            start, end = diagram.vertices[first], diagram.vertices[second]
            inside = min(start.min(), end.min()) > -size[0] and max(start.max(), end.max()) < 2 * size[0]
            if first >= 0 and second >= 0 and inside:
                along = np.linspace(0, 1, int(np.ceil(np.linalg.norm(end - start) * 2)) + 2)[:, None]
                sites = np.floor(start + along * (end - start)).astype(int)
                inside = ((sites >= 0) & (sites < size)).all(1)
                lines[tuple(sites[inside].T)] = False
    return distance_transform_edt(lines) <= radius


def marrow(edge=48, *, spacing=10.0, vessels=True, bone=True, tumour=60, hpc=200, car_share=0.025):
    """A frame as `marrowsim.storage` would hold it."""
    shape = (edge, edge, edge)
    tissue = np.full(shape, MARROW, np.uint8)
    if vessels:
        tissue[tubes(shape, max(8, round((edge / 9) ** 3)), 1.1)] = SINUSOID
    if bone:
        centres = np.stack(np.indices(shape), -1).reshape(-1, 3)
        far = cKDTree(scattered(max(5, int((edge / 36) ** 3))) * edge).query(centres, k=2)[0]
        tissue.reshape(-1)[far[:, 1] - far[:, 0] < 3.0] = BONE
        near = binary_dilation(tissue == BONE, iterations=3)
        column = np.zeros(shape, bool)
        column[:, edge // 2 - 1 : edge // 2 + 1, edge // 3 : edge // 3 + 2] = True
        tissue[column & near & (tissue != BONE)] = ARTERIOLE if vessels else MARROW
    free = np.flatnonzero(tissue == MARROW)
    lumen = (tissue == SINUSOID) if vessels else np.zeros(shape, bool)
    close = binary_dilation(lumen, iterations=2).ravel() if vessels else np.ones(tissue.size, bool)
    order = shuffled(free)
    car = order[close[order]][: int(car_share * free.size)]
    beside = np.zeros(tissue.size, bool)
    beside[car] = True
    beside = binary_dilation(beside.reshape(shape)).ravel() & (tissue.ravel() == MARROW)
    beside[car] = False
    slots = np.sort(shuffled(np.flatnonzero(beside), 7)[: max(1, free.size // 300)])
    order = order[~np.isin(order, np.concatenate([car, slots]))]
    wall = np.flatnonzero(lumen)
    taken = shuffled(slots, 3)
    parts, start = [(car, "car", "free")], 0
    halves = {"tumour": (tumour, "bound"), "hpc": (hpc, "bound")}
    for kind, (count, status) in halves.items():
        sites = taken[start : start + count // 2]
        start += len(sites)
        parts.append((sites, kind, status))
    tumour_free = order[close[order]][: tumour // 3]
    hpc_free = shuffled(np.setdiff1d(order, tumour_free), 11)[: hpc // 2]
    parts += [(tumour_free, "tumour", "free"), (hpc_free, "hpc", "free")]
    parts.append((shuffled(wall, 5)[: tumour // 6], "tumour", "arrested"))
    sites = np.concatenate([part[0] for part in parts])
    z, y, x = np.unravel_index(sites, shape)
    cells = pd.DataFrame(
        {
            "id": np.arange(sites.size),
            "type": pd.Categorical(np.repeat([part[1] for part in parts], [len(part[0]) for part in parts])),
            "status": np.repeat([part[2] for part in parts], [len(part[0]) for part in parts]),
            "x": (x + 0.5) * spacing,
            "y": (y + 0.5) * spacing,
            "z": (z + 0.5) * spacing,
            "cxcr4": np.float32(1),
        }
    )
    source = np.zeros(tissue.size, np.float32)
    source[car] = 1
    cxcl12 = gaussian_filter(source.reshape(shape), 3.0) * 30 * (tissue == MARROW)
    oxygen = (20 * np.exp(-distance_transform_edt(~lumen) / 8)).astype(np.float32)
    z, y, x = np.unravel_index(slots, shape)
    return SimpleNamespace(
        step=720,
        time=72 * 60.0,
        spacing=spacing,
        tissue=tissue,
        fields={"cxcl12": cxcl12.astype(np.float32), "oxygen": oxygen * (tissue != BONE)},
        cells=cells,
        slots=pd.DataFrame(
            {
                "x": (x + 0.5) * spacing,
                "y": (y + 0.5) * spacing,
                "z": (z + 0.5) * spacing,
                "occupied": np.isin(slots, taken[:start]),
            }
        ),
        bone_change=None,
    )


def curves(hours=72):
    """Readouts of the kinds that a run writes."""
    time = np.arange(hours + 1.0)
    arrived = 200 * (1 - np.exp(-time / 20))
    return pd.DataFrame(
        {
            "step": time.astype(int) * 10,
            "time (h)": time,
            "tumour in blood (cells)": 300 - arrived,
            "tumour arrested (cells)": 30 * np.exp(-time / 30),
            "tumour in marrow (cells)": arrived,
            "tumour at niches (cells)": 0.8 * arrived,
            "tumour in niches (cells)": 0.6 * arrived,
            "hpc in niches (cells)": 900 - 0.5 * arrived,
            "slots held by hpc (1)": (900 - 0.5 * arrived) / 1200,
            "slots held by tumour (1)": 0.6 * arrived / 1200,
            "cxcl12 mean (nM)": 0.8 - 0.0002 * arrived,
            "oxygen mean (mmHg)": 13 - 0.001 * arrived,
        }
    )


@pytest.fixture(scope="session")
def frame():
    """A small marrow (280 um) with everything in it."""
    return marrow(28, tumour=48, hpc=60)


@pytest.fixture(scope="session")
def wide():
    """A marrow (400 um) of which a picture draws a slab and a close-up."""
    return marrow(40)


@pytest.fixture(scope="session")
def dish():
    """A culture dish: neither bone nor vessels, tumour cells alone."""
    bare = marrow(20, vessels=False, bone=False, tumour=20, hpc=0, car_share=0.0)
    bare.slots = bare.slots[:0]
    bare.cells = bare.cells[bare.cells.status == "free"].reset_index(drop=True)
    return bare


@pytest.fixture(scope="session")
def readouts():
    return curves()


@pytest.fixture(scope="module")
def browser():
    """Chromium without a screen; one a module, since playwright's event loop stays while it is open."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def unfinished(tmp_path_factory):
    """A function that makes a run of a size whose frame at 6 hours has not appeared yet beside those of 0, 2 and 4."""

    def make(*size):
        path = tmp_path_factory.mktemp("unfinished") / "run"
        overrides = {"geometry.size": list(size), "output.frames_every": "2 h", "time.duration": "6 h"}
        simulation = Simulation.from_scenario("homing", seed=1, threads=1, overrides=overrides)
        with RunFolder.create(path, simulation) as recorder:
            simulation.run(recorders=[recorder])
        last = sorted((path / "frames").iterdir())[-1]
        last.rename(path / last.name)
        return path

    return make
