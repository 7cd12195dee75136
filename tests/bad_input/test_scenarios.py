"""Bad scenarios, settings and command lines."""

import subprocess
import sys
from itertools import product

import pytest

from marrowsim.config import scenario_text

SMALL = ["--set", 'geometry.size=["200 um", "200 um", "200 um"]', "--days", "0.025"]

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
    "unknown preset": (['presets=["myelom"]'], ["unknown preset", "did you mean 'myeloma'"]),
    "a preset that is no text": (["presets=[3]"], ["unknown preset", "human bone", "--presets"]),
    "presets that are no list": (["presets=3"], ["presets"]),
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
    "soft tissue beside a dish": (
        ['geometry.kind="dish"', 'vessels.source="none"', "injection=[]", 'soft_tissue.width="200 um"'],
        ["there is no marrow to put soft tissue beside", "geometry.size"],
    ),
    "slab thinner than voxels": (['soft_tissue.width="20 um"'], ["too thin for its voxels", "40 um or more"]),
    "seeding at a site that is not there": (
        ['seeding=[{cell="tumour", density="1000 /mm^3", site="soft_tissue"}]'],
        ["the lattice has no such site", "soft_tissue.width"],
    ),
    "seeding at an unknown site": (
        ['seeding=[{cell="tumour", density="1000 /mm^3", site="soft"}]'],
        ["unknown word", "did you mean 'soft_tissue'?"],
    ),
    "shell without an inside": (
        ['seeding=[{cell="tumour", density="1 /mm^3", within="50 um", beyond="60 um"}]'],
        ["the shell has no inside", "beyond 60 um, within 50 um"],
    ),
    "centre without a radius": (
        ['seeding=[{cell="tumour", density="1 /mm^3", centre=["50 um", "50 um", "50 um"]}]'],
        ["the centre would not be used", "give within or beyond"],
    ),
    "blood of a tissue without blood": (
        ['fields.oxygen.blood.bone="20 mmHg"'],
        ["unknown tissue", "sinusoid, arteriole, capillary"],
    ),
    "unknown field in an uptake": (
        ['cells.tumour.uptake.oxigen="1 amol/s"'],
        ["unknown field", "did you mean 'oxygen'?"],
    ),
    "unknown type to be like": (['cells.fast.like="tumor"'], ["unknown entry", "did you mean 'tumour'?"]),
    "unknown drug": (
        ['dose=[{drug="plerixafur", amount="1 mg/kg"}]'],
        ["unknown drug", "did you mean 'plerixafor'?"],
    ),
    "unknown drug to change": (['drugs.plerixafur.molar_mass="500 g/mol"'], ["did you mean 'plerixafor'?"]),
    "unknown target of a drug": (
        ['drugs.plerixafor.inhibits.cxcr7="1 nM"'],
        ["unknown target of a drug", "did you mean 'cxcr4'?"],
    ),
    "dose in nM": (
        ['dose=[{drug="plerixafor", amount="1 nM"}]'],
        ["dose.0.amount", "'1 nM' is not a quantity in mg/kg", 'such as "1 mg/kg"'],
    ),
    "dose without a unit": (['dose=[{drug="plerixafor", amount="0.24"}]'], ["a number without its unit", "1 mg/kg"]),
    "dose after the end": (
        ['dose=[{drug="plerixafor", amount="1 mg/kg", at="9 d"}]', "time.duration=3 d"],
        ["a dose comes after the end of the run", "before 72 h", "216 h", "a longer time.duration"],
    ),
    "more doses than fit": (
        ['dose=[{drug="plerixafor", amount="1 mg/kg", every="1 d", count=4}]', "time.duration=3 d"],
        ["a dose comes after the end of the run", "without count"],
    ),
    "several doses at once": (
        ['dose=[{drug="plerixafor", amount="1 mg/kg", count=2}]'],
        ["the time between doses is not given", 'every = "1 d"'],
    ),
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
    "ball outside the box": (
        ['seeding=[{cell="tumour", density="1 /mm^3", within="50 um", centre=["900 um", "0 um", "0 um"]}]'],
        ["no marrow lies in the part", "200 x 200 x 200 um", "change centre, within or beyond"],
    ),
    "no free voxel": (
        [
            'seeding=[{cell="hpc", density="1000000 /mm^3", within="40 um"},'
            ' {cell="tumour", density="1000000 /mm^3", within="30 um"}]'
        ],
        ["there is no place for any tumour (seeding.1)", "a free voxel or more"],
    ),
    "capillaries that do not fit": (
        ['soft_tissue.width="200 um"', "soft_tissue.vessel_volume_fraction=0.3"],
        ["soft_tissue.vessel_", "the vessels do not fit"],
    ),
    "impossible bone": (["geometry.bone_volume_fraction=0.99"], ["BV/TV is out of range"]),
}


@pytest.mark.parametrize(("case", "command"), [*product(SETTINGS, ["check", "run"]), *product(BUILT, ["run"])])
def test_settings(case, command, here, refuse, tree):
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
    "bone in soft tissue": (["run", "primary", "--bone", "."], ["soft tissue has no place for bone", "--bone"]),
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
def test_command_lines(case, here, refuse, tree):
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
def test_scenario_files(case, here, refuse, tree):
    text, words = FILES[case]
    (here / "my.toml").write_bytes(text)
    before = tree(here)
    for command in ("check", "run"):
        refuse([command, "my.toml"], *words)
    assert tree(here) == before


def test_all_faults_come_at_once(here, refuse):
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


@pytest.mark.parametrize(
    "arguments", [["run", "homming"], ["check", "homing", "--set", "time.step=6"], ["resume", "nowhere"]]
)
def test_as_a_process(arguments, here, tree):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "marrowsim", *arguments], cwd=here, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "remedy" in done.stderr or "allowed" in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(here) == {}
