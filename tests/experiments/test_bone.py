"""Experiments in bone of an image instead of generated bone, and results that follow the image's content."""

import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from marrowsim.cli.app import app
from marrowsim.cli.knockouts import _in_bone
from marrowsim.errors import ExperimentError, ImageError
from marrowsim.experiments import knockout
from marrowsim.experiments.bone import OwnBone
from marrowsim.experiments.files import arm_configs, load_experiment
from marrowsim.experiments.overview import overview_text
from marrowsim.experiments.points import measure_point
from marrowsim.experiments.run import points_of
from marrowsim.geometry.build import bone_of
from marrowsim.sweeps.files import load_sweep
from marrowsim.sweeps.run import plan_of
from marrowsim.tissues import BONE

MARROW = (
    ('scenario = "culture"', 'scenario = "healthy"'),
    (
        'seeding = [{ cell = "tumour", density = "60000 /mm^3" }]',
        'seeding = [{ cell = "tumour", density = "3e4 /mm^3" }]',
    ),
    ('geometry.size = ["100 um", "100 um", "100 um"]', 'geometry.size = ["120 um", "140 um", "160 um"]'),
    ('time.duration = "2 d"', 'time.duration = "12 h"'),
    ('set.time.duration = "1 d"', 'set.time.step = "2 h"'),
)


@pytest.fixture
def image(tmp_path):
    """A strut and a plate in 20 x 20 x 20 voxels, as a file without a voxel size."""
    bone = np.zeros((20, 20, 20), np.uint8)
    bone[:, :4, :] = bone[8:12, :, 9:12] = 1
    np.save(tmp_path / "scan.npy", bone)
    return tmp_path / "scan.npy"


def test_arms_take_the_middle_of_the_image_in_their_own_size(tiny, image):
    configs = arm_configs(load_experiment(tiny(*MARROW)), bounded=False, seed=1, bone=OwnBone.at(image, "10 um"))
    middle = np.load(image)[2:18, 3:17, 4:16] > 0
    for config in configs.values():
        tissue, _ = bone_of(config)
        np.testing.assert_array_equal(tissue == BONE, middle)
        assert config.seed == 1
    assert "CXCR4" in configs["blocked"].knockouts and configs["with"].fields["cxcl12"].held_at


def test_the_folder_and_the_report_say_which_bone(tiny, image, tmp_path):
    path, out = tiny(*MARROW), tmp_path / "out"
    outcome = knockout(path, output=out, replicates=2, processes=1, bone=image, spacing="10 um")
    share = (np.load(image)[2:18, 3:17, 4:16] > 0).mean()
    for text in ((out / "report.md").read_text(), overview_text([outcome], "overview.png")):
        assert f"`scan.npy`, BV/TV {share:.3f}" in text
    with pytest.raises(ExperimentError, match="of another experiment"):
        knockout(path, output=out, replicates=2)
    np.save(image, 1 - np.load(image))
    with pytest.raises(ExperimentError, match="of another experiment"):
        knockout(path, output=out, replicates=2, bone=image, spacing="10 um")


@pytest.mark.parametrize(
    ("file", "spacing", "words"),
    [
        ("nothing.npy", "10 um", "there is no such image"),
        (None, "10 um", "a voxel size without an image"),
        ("scan.npy", None, "spacing"),
        ("scan.npy", "3 um", "does not fit in the image"),
    ],
)
def test_an_image_that_cannot_be_used_is_told_before_anything_is_written(tiny, image, tmp_path, file, spacing, words):
    bone = file and image.with_name(file)
    with pytest.raises((ExperimentError, ImageError), match=words):
        knockout(tiny(*MARROW), output=tmp_path / "out", bone=bone, spacing=spacing)
    assert not (tmp_path / "out").exists()


def test_an_experiment_without_bone_refuses_an_image(tiny, image, tmp_path):
    with pytest.raises(ExperimentError, match="no arm has generated bone"):
        knockout(tiny(), output=tmp_path / "out", bone=image, spacing="10 um")


def test_the_command_takes_an_image_and_leaves_out_what_has_no_bone(tiny, image, tmp_path):
    assert _in_bone(True, 1) == ["S1", "S2", "S3", "S5", "S7", "S8", "S9", "S10"]
    options = [
        "--bone",
        str(image),
        "--spacing",
        "10",
        "--replicates",
        "2",
        "--processes",
        "1",
        "-o",
        str(tmp_path / "o"),
    ]
    done = CliRunner().invoke(app, ["knockout", str(tiny(*MARROW)), *options])
    assert done.exit_code == 0, done.output
    assert "scan.npy" in (tmp_path / "o" / "report.md").read_text()


def test_results_follow_the_content_of_the_image_and_not_its_place(tiny, image, tmp_path):
    source = load_experiment(tiny(*MARROW))

    def planned(file):
        return points_of(source, tmp_path, bounded=False, seeds=(1,), bone=OwnBone.at(file, "10 um"))[0]

    first = planned(image)
    moved = shutil.copy(image, tmp_path / "moved.npy")
    assert planned(moved).digest == first.digest
    assert measure_point(first)["digest"] == first.digest
    np.save(image, 1 - np.load(image))
    assert planned(image).digest != first.digest
    with pytest.raises(ExperimentError, match="another one here than where the point was planned"):
        measure_point(first)


def test_points_of_a_sweep_follow_the_content_of_the_image(image, tmp_path):
    scenario, file = tmp_path / "mine.toml", tmp_path / "sweep.toml"
    scenario.write_text(
        'format = 1\n[geometry]\nkind = "image"\nimage = { file = "scan.npy", spacing = "10 um" }\n', encoding="utf-8"
    )
    file.write_text(
        'format = 1\nid = "s"\ntitle = "t"\nscenario = "mine.toml"\ndesign = "grid"\n[[parameter]]\n'
        'key = "time.step"\nvalues = ["6 min", "12 min"]\n[[readout]]\nname = "cells"\nmeasure = "cells"\n'
        'options = { cell = "car" }\n'
    )
    before = [point.path for point in plan_of(load_sweep(file), tmp_path).points]
    assert before == [point.path for point in plan_of(load_sweep(file), tmp_path).points]
    np.save(image, 1 - np.load(image))
    assert not set(before) & {point.path for point in plan_of(load_sweep(file), tmp_path).points}
