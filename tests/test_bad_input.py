"""Bad input ends in one clear message and exit code 2; nothing is written, and nothing is lost."""

import errno
import json
import os
import shutil
import subprocess
import sys
from itertools import product

import h5py
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from filelock import FileLock
from typer.testing import CliRunner

from marrowsim.cli.app import app
from marrowsim.config import scenario_text
from marrowsim.storage import files as storage_files

SMALL = ["--set", 'geometry.size=["200 um", "200 um", "200 um"]', "--days", "0.025"]


def tree(folder):
    """Every file below a folder with its bytes, and every folder; locks are not content."""
    return {
        str(item.relative_to(folder)): item.read_bytes() if item.is_file() else None
        for item in sorted(folder.rglob("*"))
        if item.name != ".lock"
    }


def refuse(arguments, *words):
    """Run a command that must be refused with a message that holds the words."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, (result.output, result.exception)
    said = result.stderr
    assert "Traceback" not in said
    for word in words:
        assert word in said
    return said


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty present folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Values: what is set, and words of the message.
SETTINGS = {
    "unknown key": (["time.stp=6 min"], ["unknown key", "did you mean 'step'?"]),
    "unknown section": (["tme.step=6 min"], ["unknown key", "did you mean 'time'?"]),
    "unknown process": (["processes.motilty.attempts=0.1"], ["unknown key", "did you mean 'motility'?"]),
    "unknown process parameter": (["processes.niche.binding=1 /min"], ["did you mean 'binding_rate'?"]),
    "unknown cell type to change": (["cells.tumor.cxcr4=2"], ["did you mean 'tumour'?"]),
    "unknown field to change": (["fields.oxigen.decay=1 /min"], ["did you mean 'oxygen'?"]),
    "value in place of a section": (["time=3"], ["a table", "[time]"]),
    "key below a value": (["time.step.unit=min"], ["'step' is a value, not a table", "section.key"]),
    "wrong unit": (["time.step=6 um"], ["'6 um' is not a quantity in min", 'such as "1 min"']),
    "no unit": (["time.step=6"], ["a number without its unit", 'such as "1 min"']),
    "no number": (["time.step=soon"], ["'soon'", 'such as "1 min"']),
    "negative": (["cells.tumour.motility=-3 um^2/h"], ["out of bounds", "from 0 um^2/min up"]),
    "share above one": (["vessels.volume_fraction=1.2"], ["out of bounds", "from 0 to 1"]),
    "NaN": (["cells.tumour.cxcr4=nan"], ["out of bounds", "a number, from 0 up"]),
    "infinite": (["time.duration=inf d"], ["out of bounds", 'such as "1 min"']),
    "zero duration": (["time.duration=0 d"], ["the run has no step", "remedy: a longer duration"]),
    "step longer than duration": (
        ["time.duration=3 min", "time.step=8 min"],
        ["the run has no step", "one step (8 min) or more"],
    ),
    "step too long": (["time.step=5 h"], ["out of bounds", "from 0.1 to 240 min"]),
    "output more often than steps": (["output.frames_every=1 min"], ["shorter than a time step", "6 min or more"]),
    "unknown arrow": (['knockouts=["chemotaxi"]'], ["unknown arrow", "did you mean"]),
    "seed below zero": (["seed=-1"], ["seed", "0 or more"]),
    "seed that is no number": (['seed="one"'], ["seed", "integer"]),
    "unknown geometry": (['geometry.kind="trabeculr"'], ["unknown word", "did you mean 'trabecular'?"]),
    "image without a file": (['geometry.kind="image"'], ["no image is named", "--bone FILE"]),
    "image table with a dish": (
        ['geometry.kind="dish"', 'geometry.image={file="a.npz"}', 'vessels.source="none"'],
        ["the image would not be used", "--bone FILE"],
    ),
    "voxel too small": (["geometry.voxel=0.1 um"], ["geometry.voxel", "from 1 to 100 um"]),
    "box smaller than voxels": (
        ['geometry.size=["20 um", "20 um", "20 um"]'],
        ["too small for its voxels", "4 voxels or more"],
    ),
    "lattice too large": (
        ['geometry.size=["1 m", "1 m", "1 m"]'],
        ["the lattice is too large", "a smaller size or a larger voxel"],
    ),
    "two edges": (['geometry.size=["1 mm", "1 mm"]'], ["geometry.size.2", "each of x, y and z"]),
    "a list in place of a quantity": (["time.step=[]"], ["not a quantity", 'such as "1 min"']),
    "a value in place of a list": (["injection=3"], ["this is not a list", "[[injection]]"]),
    "a number in place of text": (["title=3"], ["this is not text", "quotation marks"]),
    "an arrow that is no text": (["knockouts=[3]"], ["unknown arrow", "CXCL12->chemotaxis", "--arrows"]),
    "a value in place of all cells": (["cells=3"], ["this is a table, not a value", "[cells]"]),
    "vessel labels without labels": (
        ['vessels.source="labels"'],
        ["the labels of the vessels are not given", "remedy"],
    ),
    "injection without vessels": (['vessels.source="none"'], ["there are no vessels", "use [[seeding]]"]),
    "unknown cell type injected": (['injection.0.cell="tumor"'], ["unknown cell type", "did you mean 'tumour'?"]),
    "unknown field in an uptake": (
        ['cells.tumour.uptake.oxigen="1 amol/s"'],
        ["unknown field", "did you mean 'oxygen'?"],
    ),
    "unknown type to be like": (['cells.fast.like="tumor"'], ["unknown entry", "did you mean 'tumour'?"]),
    "foreign format": (["format=99"], ["another format", "the version of marrowsim"]),
    "no equals sign": (["time.step"], ["--set KEY=VALUE"]),
}
# The same for what is known only when the lattice is built.
BUILT = {
    "infeasible vessels": (
        ["vessels.volume_fraction=0.9"],
        ["volume_fraction of the vessels is out of range", "0 to 0.4", "change volume_fraction"],
    ),
    "vessels too far apart": (
        ["vessels.volume_fraction=0.3", "vessels.distance=150 um"],
        ["the vessels do not fit the marrow", "remedy: change volume_fraction"],
    ),
    "box too small for bone": (
        ['geometry.size=["50 um", "50 um", "50 um"]'],
        ["the box is too small for bone", "remedy"],
    ),
    "impossible bone": (["geometry.bone_volume_fraction=0.99"], ["BV/TV is out of range"]),
}


@pytest.mark.parametrize(("case", "command"), [*product(SETTINGS, ["check", "run"]), *product(BUILT, ["run"])])
def test_settings(case, command, here):
    settings, words = (SETTINGS | BUILT)[case]
    small = [] if any("geometry.size" in setting for setting in settings) else SMALL[:2]
    chosen = [item for setting in settings for item in ("--set", setting)]
    refuse([command, "homing", *small, *chosen], *words)
    assert tree(here) == {}


# Options and arguments: the command line, and words of the message.
COMMANDS = {
    "unknown scenario": (["run", "homming"], ["no such scenario", "did you mean 'homing'?"]),
    "unknown scenario to print": (["new", "cultur"], ["no such scenario", "did you mean 'culture'?"]),
    "missing file": (["check", "mine.toml"], ["no such scenario", "marrowsim new homing > my.toml"]),
    "negative days": (["run", "homing", "--days", "-1"], ["out of bounds"]),
    "days not a number": (["run", "homing", "--days", "nan"], ["out of bounds"]),
    "no thread": (["run", "homing", "--threads", "0"], ["--threads", "greater than or equal to 1"]),
    "negative seed": (["run", "homing", "--seed", "-1"], ["--seed", "greater than or equal to 0"]),
    "spacing without image": (["run", "homing", "--spacing", "19.5"], ["would not be used", "--bone FILE"]),
    "crop without image": (["run", "homing", "--crop", "500"], ["would not be used", "--bone FILE"]),
    "missing image in a dish": (
        ["run", "culture", "--bone", "nowhere.npz"],
        ["there is no such image", "check the path"],
    ),
    "bone in a dish": (["run", "culture", "--bone", "."], ["a dish has no place for bone", "homing or healthy"]),
    "name too long": (["run", "homing", *SMALL, "-o", "a" * 300], ["cannot be written", "-o DIR"]),
    "missing image": (["run", "homing", "--bone", "nowhere.npz"], ["there is no such image", "check the path"]),
    "missing image to measure": (["measure", "nowhere.npz"], ["there is no such image", "check the path"]),
    "spacing without a number": (["run", "homing", "--bone", ".", "--spacing", "wide"], ["'wide'", "um"]),
    "two spacings": (["measure", ".", "--spacing", "10,10"], ["one edge or three"]),
    "unknown option": (["run", "homing", "--day", "3"], ["--day"]),
    "unknown command": (["runn", "homing"], ["runn"]),
    "no run to resume": (["resume", "runs/a"], ["no such run folder", "run.json"]),
    "no run to describe": (["info", "runs/a"], ["no such run folder", "run.json"]),
    "no run to draw": (["render", "runs/a"], ["no such run folder", "run.json"]),
    "no runs to compare": (["compare", "runs/a", "runs/b"], ["no such run folder", "run.json"]),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_command_lines(case, here):
    arguments, words = COMMANDS[case]
    refuse(arguments, *words)
    assert tree(here) == {}


# Files: the bytes of my.toml, and words of the message.
FILES = {
    "not TOML": (b"time = \n", ["not valid TOML", "line 1", "my.toml"]),
    "not UTF-8": (b'title = "\xff\xfe"\n', ["cannot be read", "UTF-8"]),
    "a key twice": (b"seed = 1\nseed = 2\n", ["not valid TOML", "line 2"]),
    "wrong unit, with its line": (b'[time]\nstep = "6 um"\n', ["my.toml:2: time.step", "'6 um'"]),
    "seeding of an unknown type": (
        b'[[seeding]]\ncell = "tumor"\ndensity = "1 /mm^3"\n',
        ["my.toml:2: seeding.0.cell", "unknown cell type", "did you mean 'tumour'?"],
    ),
    "injection without a density": (b'[[injection]]\ncell = "tumour"\n', ["injection.0.density", "give density"]),
    "an image that is not there": (
        b'[geometry]\nkind = "image"\nimage.file = "bone.npz"\n',
        ["there is no such image", "beside the scenario file"],
    ),
    "threshold and labels": (
        b'[geometry]\nkind = "image"\n[geometry.image]\nfile = "."\nthreshold = 3.0\nlabels = {bone = [1]}\n',
        ["either grey or labels", "remove one of them"],
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_scenario_files(case, here):
    text, words = FILES[case]
    (here / "my.toml").write_bytes(text)
    before = tree(here)
    for command in ("check", "run"):
        refuse([command, "my.toml"], *words)
    assert tree(here) == before


def test_all_faults_come_at_once(here):
    text = scenario_text("homing")[0].replace('"6 min"', '"40 min"').replace('"tumour"', '"tumor"') + "\n[stromma]\n"
    (here / "my.toml").write_text(text + '[cells.hpc.uptake]\noxigen = "1 amol/s"\n[cells.tumour]\ncxcr4 = -1\n')
    said = refuse(
        ["check", "my.toml", "--set", "geometry.voxel=10"],
        "did you mean 'tumour'?",
        "did you mean 'stroma'?",
        "did you mean 'oxygen'?",
        "cells.tumour.cxcr4",
        "geometry.voxel",
        "5 faults",
    )
    assert said.count("error: ") == 5


def blocks(shape=(20, 20, 20)):
    """Grey values with plates of bone."""
    return np.where(np.arange(shape[-1]) // 5 % 2, 200, 20).astype(np.uint8) * np.ones(shape, np.uint8)


def npz(values, **more):
    np.savez("bone.npz", grey=values, **more)
    return "bone.npz"


def nifti(values, spacing=0.02):
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((spacing,) * values.ndim)
    sitk.WriteImage(image, "bone.nii")
    return "bone.nii"


def tiff(values):
    tifffile.imwrite("bone.tif", values)
    return "bone.tif"


def cut(name, share=0.6):
    """Drop the end of a file."""
    with open(name, "r+b") as file:
        file.truncate(int(os.path.getsize(name) * share))
    return name


def folder(slices=()):
    os.mkdir("slices")
    for number, values in enumerate(slices):
        tifffile.imwrite(f"slices/{number}.tif", values)
    return "slices"


def named(name, content=b"?"):
    with open(name, "wb") as file:
        file.write(content)
    return name


def broken(values, value):
    values = values.astype(np.float32)
    values[3, 4, 5] = value
    return values


AT_20 = ["--spacing", "20"]
BONY = np.ones((20, 20, 20), np.uint8)
# Images: how one is made, further options, and words of the message.
IMAGES = {
    "unknown format": (lambda: named("bone.jpg"), AT_20, ["unknown image format", ".nrrd"]),
    "no ending": (lambda: named("bone"), AT_20, ["unknown image format", ".nrrd"]),
    "no spacing": (lambda: npz(blocks()), [], ["the voxel size is missing", "--spacing 19.5"]),
    "no spacing in TIFF": (lambda: tiff(blocks()), [], ["the voxel size is missing", "--spacing 19.5"]),
    "a header that says mm": (lambda: nifti(blocks(), 4.9), [], ["98000 x 98000", "check the voxel size"]),
    "absurd spacing": (lambda: npz(blocks()), ["--spacing", "90000"], ["the voxel size is impossible", "5000 um"]),
    "absurd spacing in header": (lambda: nifti(blocks(), 20.0), [], ["the voxel size is impossible", "5000 um"]),
    "spacing of zero": (lambda: npz(blocks()), ["--spacing", "0"], ["geometry.image.spacing", "out of bounds"]),
    "NaN": (lambda: npz(broken(blocks(), np.nan)), AT_20, ["1 voxels are NaN or infinite", "replace them"]),
    "infinite": (lambda: npz(broken(blocks(), np.inf)), AT_20, ["1 voxels are NaN or infinite", "replace them"]),
    "constant": (lambda: npz(BONY), AT_20, ["the image is empty", "at least two values"]),
    "truncated npz": (lambda: cut(npz(blocks())), AT_20, ["cannot be read", "copied completely"]),
    "truncated TIFF": (lambda: cut(tiff(blocks())), AT_20, ["cannot be read", "copied completely"]),
    "truncated NIfTI": (lambda: cut(nifti(blocks())), AT_20, ["cannot be read", "copied completely"]),
    "empty file": (lambda: named("bone.nrrd", b""), AT_20, ["cannot be read", "copied completely"]),
    "text named npz": (lambda: named("bone.npz", b"bone"), AT_20, ["cannot be read", "copied completely"]),
    "2D": (lambda: npz(blocks((20, 20))), AT_20, ["not a volume", "three axes"]),
    "one slice": (lambda: tiff(blocks((1, 20, 20))), AT_20, ["bone.tif"]),
    "complex numbers": (lambda: npz(blocks() * 1j), AT_20, ["not plain numbers"]),
    "two volumes": (
        lambda: (np.savez("bone.npz", a=blocks(), b=blocks()), "bone.npz")[1],
        AT_20,
        ["not clear which array", "name it grey or bone"],
    ),
    "folder without slices": (folder, AT_20, ["holds no slices", ".tif"]),
    "slices of two sizes": (
        lambda: folder([blocks((20, 20)), blocks((20, 10))]),
        AT_20,
        ["slices differ in size", "remove previews"],
    ),
    "labels without meaning": (
        lambda: npz(blocks()),
        [*AT_20, "--set", "geometry.image.labels={bone=[200]}"],
        ["have no meaning", "add them to the labels"],
    ),
    "unknown label": (
        lambda: npz(blocks()),
        [*AT_20, "--set", "geometry.image.labels={bon=[200], marrow=[20]}"],
        ["geometry.image.labels.bon", "'bone'"],
    ),
    "vessels of labels that label none": (
        lambda: npz(blocks()),
        [*AT_20, "--set", "geometry.image.labels={bone=[200], marrow=[20]}", "--set", 'vessels.source="labels"'],
        ["the labels of the vessels are not given", "remedy"],
    ),
    "vessel labels that would be grown over": (
        lambda: npz(np.where(np.arange(20) == 2, 9, blocks())),
        [*AT_20, "--set", "geometry.image.labels={bone=[200], marrow=[20], sinusoid=[9]}"],
        ["the image labels vessels", 'set vessels.source = "labels"'],
    ),
    "crop outside": (lambda: npz(blocks()), [*AT_20, "--crop", "900"], ["crop does not fit", "400"]),
    "crop too small": (lambda: npz(blocks()), [*AT_20, "--crop", "20"], ["crop"]),
    "threshold outside": (
        lambda: npz(blocks()),
        [*AT_20, "--set", "geometry.image.threshold=900"],
        ["threshold does not separate", "leave the threshold out"],
    ),
    "all bone": (
        lambda: npz(broken(BONY, 2)),
        [*AT_20, "--set", "geometry.image.labels={bone=[1, 2]}"],
        ["there is no marrow", "check the threshold or labels"],
    ),
    "all marrow": (
        lambda: npz(broken(BONY, 2).astype(int)),
        [*AT_20, "--set", "geometry.image.labels={marrow=[1, 2]}"],
        ["there is no bone", "check the threshold or labels"],
    ),
    "almost no marrow": (
        lambda: npz(np.where(np.indices((20, 20, 20)).max(axis=0) < 1, 1, 2)),
        [*AT_20, "--set", "geometry.image.labels={marrow=[1], bone=[2]}"],
        ["too little marrow", "64 marrow voxels or more"],
    ),
}


@pytest.mark.parametrize("case", IMAGES)
def test_images(case, here):
    make, options, words = IMAGES[case]
    name = make()
    before = tree(here)
    refuse(["run", "homing", "--bone", name, *options], *words)
    assert tree(here) == before


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of six steps."""
    path = tmp_path_factory.mktemp("runs") / "a"
    result = CliRunner().invoke(app, ["run", "homing", *SMALL, "--no-picture", "--threads", "1", "-o", str(path)])
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def run(finished, here):
    """A copy of that run."""
    shutil.copytree(finished, here / "a")
    return here / "a"


def edit_record(path, **change):
    record = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(record | change))


def edit_attribute(path, **change):
    with h5py.File(path, "r+") as file:
        file.attrs.update(change)


def every_checkpoint(path, harm):
    for item in (path / "checkpoints").iterdir():
        harm(item)


def edit_scenario(path, old, new):
    text = (path / "scenario.toml").read_text()
    assert old in text
    (path / "scenario.toml").write_text(text.replace(old, new, 1))


LONGER = ["resume", "a", "--days", "0.05", "--no-picture"]
# Run folders: what is done to a finished run, the command, and words of the message.
RUNS = {
    "taken": (lambda a: None, ["run", "homing", *SMALL, "-o", "a"], ["exists already", "marrowsim resume", "-o DIR"]),
    "foreign files": (
        lambda a: (a / "thesis.txt").write_text("precious"),
        ["run", "homing", *SMALL, "-o", "a", "--overwrite"],
        ["only a run folder is overwritten", "thesis.txt", "-o DIR"],
    ),
    "a file": (
        lambda a: (shutil.rmtree(a), a.write_text("precious")),
        ["run", "homing", *SMALL, "-o", "a"],
        ["something else in the place", "-o DIR"],
    ),
    "a file, overwriting": (
        lambda a: (shutil.rmtree(a), a.write_text("precious")),
        ["run", "homing", *SMALL, "-o", "a", "--overwrite"],
        ["only a run folder is overwritten", "-o DIR"],
    ),
    "below a file": (
        lambda a: None,
        ["run", "homing", *SMALL, "-o", "a/run.json/b"],
        ["cannot be made", "choose another one with -o DIR"],
    ),
    "not a run, resume": (lambda a: (a / "run.json").unlink(), LONGER, ["not a run folder", "run.json"]),
    "not a run, info": (lambda a: (a / "run.json").unlink(), ["info", "a"], ["not a run folder", "run.json"]),
    "not a run, render": (lambda a: (a / "run.json").unlink(), ["render", "a"], ["not a run folder", "run.json"]),
    "not a run, compare": (
        lambda a: (a / "run.json").unlink(),
        ["compare", "a", "a"],
        ["not a run folder", "run.json"],
    ),
    "not a run, measure": (lambda a: (a / "run.json").unlink(), ["measure", "a"], ["holds no slices", ".tif"]),
    "damaged record": (lambda a: cut(a / "run.json"), LONGER, ["not a run folder", "run.json"]),
    "record of something else": (lambda a: edit_record(a, kind="cake"), ["info", "a"], ["not a run folder", "cake"]),
    "record without its parts": (
        lambda a: (a / "run.json").write_text(
            '{"kind": "marrowsim run", "format": 1, "software": {"marrowsim": "0"}, "status": "running",'
            ' "processes": [], "resumed": []}'
        ),
        ["info", "a"],
        ["not a run folder", "run.json lacks title"],
    ),
    "foreign format": (lambda a: edit_record(a, format=99), LONGER, ["another format", "99", "use marrowsim"]),
    "foreign version": (
        lambda a: edit_record(a, software={"marrowsim": "9.9"}),
        LONGER,
        ["another version", "install marrowsim 9.9"],
    ),
    "foreign checkpoint": (
        lambda a: every_checkpoint(a, lambda item: edit_attribute(item, format=99)),
        LONGER,
        ["another version", "format 99", "start anew"],
    ),
    "foreign geometry": (
        lambda a: edit_attribute(a / "geometry.h5", format=99),
        LONGER,
        ["another version", "format 99", "start anew"],
    ),
    "truncated checkpoints": (lambda a: every_checkpoint(a, cut), LONGER, ["checkpoint is damaged", "start anew"]),
    "truncated checkpoints, info": (
        lambda a: every_checkpoint(a, cut),
        ["info", "a"],
        ["checkpoint is damaged", "start anew"],
    ),
    "truncated geometry": (lambda a: cut(a / "geometry.h5"), LONGER, ["geometry is damaged", "start anew"]),
    "truncated geometry, measure": (lambda a: cut(a / "geometry.h5"), ["measure", "a"], ["geometry is damaged"]),
    "no geometry": (lambda a: (a / "geometry.h5").unlink(), LONGER, ["geometry is damaged or missing", "start anew"]),
    "edited scenario": (
        lambda a: edit_scenario(a, "seed = 1", "seed = 2"),
        LONGER,
        ["another scenario", "undo the change to scenario.toml"],
    ),
    "broken scenario": (lambda a: edit_scenario(a, "seed = 1", "seed = "), LONGER, ["not valid TOML", "scenario.toml"]),
    "no scenario": (lambda a: (a / "scenario.toml").unlink(), LONGER, ["no such scenario", "scenario.toml"]),
    "fewer days than done": (lambda a: None, ["resume", "a", "--days", "0.01"], ["farther", "0.025 days"]),
    "negative days": (lambda a: None, ["resume", "a", "--days", "-1"], ["out of bounds"]),
    "no thread": (lambda a: None, ["resume", "a", "--threads", "0"], ["--threads", "greater than or equal to 1"]),
    "no such frame": (lambda a: None, ["render", "a", "--frame", "5"], ["no frame of that step", "the nearest is 6"]),
    "no frames": (lambda a: shutil.rmtree(a / "frames"), ["render", "a"], ["no frames", "marrowsim resume"]),
    "truncated frame": (lambda a: cut(a / "frames/00000006.vtkhdf"), ["render", "a"], ["the frame cannot be read"]),
    "picture of unknown format": (lambda a: None, ["render", "a", "-o", "a.jpeg"], [".png"]),
    "picture into no folder": (lambda a: None, ["render", "a", "-o", "b/a.png"], ["no such folder", "make it"]),
    "picture in place of a folder": (lambda a: None, ["render", "a", "-o", "a"], ["a"]),
    "no readouts": (lambda a: (a / "readouts.csv").unlink(), ["render", "a"], ["readouts", "marrowsim resume"]),
    "spacing of a run": (lambda a: None, ["measure", "a", "--spacing", "5"], ["--spacing", "leave --spacing out"]),
}


@pytest.mark.parametrize("case", RUNS)
def test_run_folders(case, run, here):
    harm, arguments, words = RUNS[case]
    harm(run)
    before = tree(here)
    refuse(arguments, *words)
    assert tree(here) == before


@pytest.mark.parametrize("arguments", [LONGER, ["run", "homing", *SMALL, "-o", "a", "--overwrite"]])
def test_a_run_that_is_being_written_is_left_alone(arguments, run, here):
    before = tree(here)
    with FileLock(run / ".lock"):
        refuse(arguments, "another process is writing this run", "wait until")
    assert tree(here) == before


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_at_the_start_leaves_nothing(here, monkeypatch):
    monkeypatch.setattr(storage_files.os, "fsync", full)
    refuse(["run", "homing", *SMALL, "--no-picture", "-o", "new"], "the disk is full", "make room")
    assert tree(here) == {}


def test_a_full_disk_while_going_on_loses_nothing(run, finished, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(storage_files.os, "fsync", full)
        refuse(LONGER, "the disk is full", "make room", "marrowsim resume")
    before, after = tree(finished), tree(run)
    changing = ("run.log", "run.json", "scenario.toml")
    assert all(after[name] == data for name, data in before.items() if name not in changing)
    result = CliRunner().invoke(app, LONGER)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "arguments", [["run", "homming"], ["check", "homing", "--set", "time.step=6"], ["resume", "nowhere"]]
)
def test_as_a_process(arguments, here):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "marrowsim", *arguments], cwd=here, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "remedy" in done.stderr or "allowed" in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(here) == {}
