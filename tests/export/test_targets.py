"""What is refused, and that a target is there whole or not at all."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from marrowsim.cli.app import EXPORTS, app
from marrowsim.errors import ExportError, MissingPackageError, RunFolderError
from marrowsim.export import FORMATS, export
from marrowsim.export.formats import format_of

ENDINGS = sorted(FORMATS)


@pytest.fixture
def packages():
    """Skips where a package of the extra is missing."""
    for name in ("zarr", "xarray", "h5netcdf", "pyarrow"):
        pytest.importorskip(name, reason="the extra analysis is not installed")


def content(folder):
    """All files below a folder with their bytes."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Stop(Exception):
    pass


def stop_at_third(done, todo):
    if done == 3:
        raise Stop


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_leaves_nothing(run, ending, tmp_path, packages):
    with pytest.raises(Stop):
        export(run, tmp_path / f"a{ending}", progress=stop_at_third)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_keeps_what_was_there(run, ending, tmp_path, packages):
    export(run, tmp_path / f"a{ending}", frames="first")
    before = content(tmp_path)
    with pytest.raises(Stop):
        export(run, tmp_path / f"a{ending}", progress=stop_at_third, force=True)
    assert content(tmp_path) == before


KILLED = """
import importlib, os, signal, sys
from marrowsim import open_run
from marrowsim.export import FORMATS, export
for kind in FORMATS.values():
    importlib.import_module(kind.writer.split(":")[0])
run, folder, *endings = sys.argv[1:]
def progress(done, todo):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)
for ending in endings:
    child = os.fork()
    if child == 0:
        export(open_run(run), f"{folder}/a{ending}", progress=progress)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, ending
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork, no SIGKILL")
def test_a_kill_leaves_no_half_file(run, tmp_path, packages):
    command = [sys.executable, "-P", "-c", KILLED, str(run.path), str(tmp_path), *ENDINGS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(path.name.endswith(".tmp") for path in tmp_path.iterdir())
    for ending in ENDINGS:
        paths = export(run, tmp_path / f"a{ending}")
        assert all(path.exists() for path in paths)
    assert not any(path.name.endswith(".tmp") for path in tmp_path.iterdir())


FULL = """
import importlib, os, resource, signal, sys
from marrowsim import open_run
from marrowsim.errors import ExportError
from marrowsim.export import FORMATS, export
for kind in FORMATS.values():
    importlib.import_module(kind.writer.split(":")[0])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
run, folder, *endings = sys.argv[1:]
for ending in endings:
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        try:
            export(open_run(run), f"{folder}/a{ending}")
        except ExportError as error:
            sys.exit(0 if "the disk is full" in str(error) else f"{ending}: {error}")
        sys.exit(f"{ending} was written")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, ending
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork, no limit of the size of files")
def test_a_full_disk_is_told(run, tmp_path, packages):
    """And the process ends in order: HDF5 would bring it down."""
    command = [sys.executable, "-P", "-c", FULL, str(run.path), str(tmp_path), *ENDINGS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_there_is_kept(run, ending, tmp_path, packages):
    """The target, and every file that comes with it."""
    for path in [tmp_path / f"a{suffix}" for suffix in FORMATS[ending].makes]:
        path.write_text("mine")
        with pytest.raises(ExportError, match=r"--force") as error:
            export(run, tmp_path / f"a{ending}")
        assert str(path) in str(error.value)
        assert content(tmp_path) == {path.relative_to(tmp_path): b"mine"}
        path.unlink()


@pytest.mark.parametrize("ending", ENDINGS)
def test_force_replaces_an_export(run, ending, tmp_path, packages):
    first = tmp_path / "first"
    first.mkdir()
    export(run, first / f"a{ending}", frames="last")
    export(run, tmp_path / f"a{ending}", frames="first")
    export(run, tmp_path / f"a{ending}", frames="last", force=True)
    expected = {path.name for path in first.iterdir()}
    assert {path.name for path in tmp_path.iterdir() if path != first} == expected
    files = {path.relative_to(first) for path in first.rglob("*")}
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if first not in (path, *path.parents)} == files


def test_force_spares_a_folder_that_is_no_export(run, tmp_path, packages):
    folder = tmp_path / "a.ome.zarr"
    folder.mkdir()
    (folder / "thesis.tex").write_text("mine")
    with pytest.raises(ExportError, match="no export"):
        export(run, folder, force=True)
    assert content(tmp_path) == {(folder / "thesis.tex").relative_to(tmp_path): b"mine"}


def test_the_run_itself_is_spared(run):
    before = content(run.path)
    for name in ("readouts.csv", "frames/1.vtkhdf"):
        with pytest.raises(ExportError, match="does not go into the run folder"):
            export(run, run.path / name, force=True)
    assert content(run.path) == before


def test_unknown_ending(run, tmp_path):
    with pytest.raises(ExportError) as error:
        export(run, tmp_path / "a.xlsx")
    assert all(ending in str(error.value) for ending in FORMATS)


def test_endings(tmp_path):
    assert format_of(tmp_path / "run.1.OME.zarr") == ("run.1", ".ome.zarr")
    for name in ("a.zarr", "a", ".csv"):
        with pytest.raises(ExportError):
            format_of(tmp_path / name)
    assert EXPORTS.split(", ") == list(FORMATS)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"frames": "4,5"}, "no frame of that step"),
        ({"frames": "some"}, "all, first, last"),
        ({"frames": []}, "no frame"),
        ({"fields": ["oxigen"]}, "did you mean 'oxygen'"),
        ({"table": "cells"}, "leave --table out"),
    ],
    ids=str,
)
def test_what_makes_no_sense(run, given, said, tmp_path):
    with pytest.raises((ExportError, RunFolderError), match=said):
        export(run, tmp_path / "a.pvd", **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [{"table": "cell"}, {"fields": ["oxygen"]}], ids=str)
def test_tables_know_what_they_hold(run, given, tmp_path):
    with pytest.raises(ExportError):
        export(run, tmp_path / "a.csv", **given)


@pytest.mark.parametrize("ending", [ending for ending in ENDINGS if FORMATS[ending].packages])
def test_a_missing_package_is_named(run, ending, tmp_path, monkeypatch):
    package = FORMATS[ending].packages[-1]
    for name in FORMATS[ending].packages[:-1]:
        pytest.importorskip(name, reason="the extra analysis is not installed")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=f"pip install {package}"):
        export(run, tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []


def test_the_command(run, tmp_path):
    def invoke(*arguments):
        return CliRunner().invoke(app, ["export", str(run.path), *map(str, arguments)])

    done = invoke("--to", tmp_path / "a.csv", "--frames", "last")
    assert done.exit_code == 0, done.output
    assert f"written: {tmp_path / 'a.csv'}" in done.stdout
    refused = invoke("--to", tmp_path / "a.csv")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert invoke("--to", tmp_path / "a.pvd", "--fields", "oxygen", "--force").exit_code == 0
    assert invoke("--to", tmp_path / "none/a.csv").exit_code == 2
