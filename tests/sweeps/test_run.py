"""Running sweeps into folders: one table, however it came about."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pandas as pd
import psutil
import pytest
from typer.testing import CliRunner

import marrowsim as ms
from marrowsim.cli.app import app
from marrowsim.errors import ExperimentError
from marrowsim.sweeps import load_sweep, sweep
from marrowsim.sweeps.run import forecast, plan_of

TABLES = ("results.csv", "sensitivity.csv", "failures.csv", "report.md")
GRID = ('low = "0.1 nM"\nhigh = "10 nM"\nscale = "log"\ncount = 3', 'low = "0.1 nM"\nhigh = "10 nM"\ncount = 16')
RUNS = 64
TAIL = 'measure = "cxcr4"\noptions = { cell = "tumour" }\n'


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_text):
    """The small sweep, run in this process."""
    path = tmp_path_factory.mktemp("finished") / "tiny.toml"
    path.write_text(tiny_text)
    return sweep(path, output=path.parent / "serial", processes=1)


@pytest.fixture(scope="module")
def sixty_four(tmp_path_factory, tiny_text):
    """A sweep of 64 runs, done in this process without interruption: its file and its folder."""
    path = tmp_path_factory.mktemp("sixty-four") / "tiny.toml"
    path.write_text(tiny_text.replace(*GRID))
    sweep(path, output=path.parent / "whole", processes=1)
    return path, path.parent / "whole"


@pytest.fixture
def serial(finished, tiny, tmp_path):
    """The small sweep in a folder of its own: the file and the folder."""
    shutil.copytree(finished.folder, tmp_path / "serial")
    return tiny(), tmp_path / "serial"


def times(folder):
    return {item.name: item.stat().st_mtime_ns for item in (folder / "points").glob("*.json")}


def assert_same_tables(one, other):
    for name in TABLES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_the_table(finished):
    table = pd.read_csv(finished.folder / "results.csv")
    cxcl12, density = "fields.cxcl12.held_at (nM)", "seeding.0.density (/mm^3)"
    heads = ["point", "replicate", "seed", cxcl12, density, "readout", "unit", "value", "digest"]
    assert list(table.columns) == heads
    assert len(table) == 3 * 2 * 2 * 2
    np.testing.assert_allclose(sorted(set(table[cxcl12])), [0.1, 1, 10])
    np.testing.assert_allclose(sorted(set(table[density])), [20000, 60000])
    assert table.groupby("replicate")["seed"].nunique().tolist() == [1, 1]
    assert table["seed"].nunique() == 2 and len(times(finished.folder)) == 12
    assert finished.failures.empty
    more = table[(table["readout"] == "cells")].groupby(density)["value"].mean()
    assert more[60000] > 2 * more[20000]
    sensitivity = finished.sensitivity.set_index(["readout", "parameter"])
    found = sensitivity.loc["cells", "seeding.0.density"]
    assert 0.8 < found["estimate"] <= 1 and np.isnan(found["low"]) and np.isnan(found["high"])
    report = (finished.folder / "report.md").read_text()
    for words in ("6 points, 2 replicates", "common random numbers", "rank correlation", "0.1 nM to 10 nM, log"):
        assert words in report


def test_a_larger_hypercube_says_that_it_begins_anew(tiny, tmp_path, caplog):
    """Before any run: in the forecast, and as a warning; a Halton sequence goes on from its points."""
    span = 'low = "0.1 nM"\nhigh = "10 nM"\nscale = "log"'
    for design, kept in (("latin hypercube", False), ("halton", True)):
        changes = (GRID[0], span), ("replicates = 2", "")
        few, more = (
            tiny(('"grid"', f'"{design}"\nsamples = {count}'), *changes, name=f"{count}.toml") for count in (2, 3)
        )
        folder = tmp_path / design
        sweep(few, output=folder, processes=1)
        assert forecast(few, output=folder).unused == ""
        caplog.clear()
        expected = forecast(more, output=folder)
        assert (expected.done, bool(expected.unused)) == ((2, False) if kept else (0, True))
        sweep(more, output=folder, processes=1)
        assert ("does not go on from one of fewer" in caplog.text) is not kept


def test_a_point_is_a_run_of_the_scenario(finished):
    """A row of the table, run by itself, gives its value."""
    row = finished.results.iloc[-2]
    overrides = {
        "geometry.size": ["100 um"] * 3, "time.duration": "6 h", "time.step": "60 min",
        "fields.cxcl12.held_at": "10 nM", "seeding.0.density": "6e-5 /um^3",
    }  # fmt: skip
    simulation = ms.Simulation.from_scenario("culture", seed=int(row["seed"]), overrides=overrides)
    simulation.run()
    assert row["readout"] == "cells" and len(simulation.state.cells) == row["value"]


def test_independent_random_numbers(tiny, finished):
    source = load_sweep(tiny(('design = "grid"', 'design = "grid"\nrandom_numbers = "independent"')))
    seeds = [point.seed for point in plan_of(source, finished.folder).points]
    assert len(set(seeds)) == 12
    turned = load_sweep(
        tiny(('design = "grid"', 'design = "grid"\nrandom_numbers = "independent"'), ("count = 3", "count = 5"))
    )
    assert set(seeds) < {point.seed for point in plan_of(turned, finished.folder).points}


def test_killed_three_times(sixty_four, tmp_path):
    """SIGKILL of everything in the middle of points; the table is that of a run without interruption."""
    path, whole = sixty_four
    out = tmp_path / "killed"
    command = [sys.executable, "-P", "-m", "marrowsim", "sweep", str(path), "-o", str(out), "--processes", "2"]
    stages = []
    for enough in (8, 24, 40):
        before = times(out) if stages else {}
        process = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and len(list(out.glob("points/*.json"))) < enough:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        stages.append(times(out))
        assert before.items() <= stages[-1].items()
    assert 8 <= len(stages[0]) < len(stages[1]) < len(stages[2]) < RUNS
    assert not (out / "results.csv").exists()
    sweep(path, output=out, processes=1)
    assert_same_tables(whole, out)
    assert stages[-1].items() <= times(out).items() and len(times(out)) == RUNS


def living_workers():
    """Worker processes of this one; a child that has just ended has no command line any more."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_killed_worker_costs_one_point(sixty_four, tmp_path, caplog):
    path, whole = sixty_four
    killed = []

    def kill_one(done, todo):
        workers = living_workers()
        if done >= 4 and not killed and workers:
            killed.append(workers[0].pid)
            workers[0].kill()

    outcome = sweep(path, output=tmp_path / "out", processes=2, progress=kill_one)
    assert killed and outcome.failures.empty
    assert_same_tables(whole, tmp_path / "out")
    assert caplog.text.count("was killed: it is run again") == 1


def test_scripts_need_no_guard(tiny, finished, tmp_path):
    """A script is not run again by its workers, and one of standard input, which has no file, can have some."""
    text = f"""
import marrowsim as ms
print("begun")
ms.sweep({str(tiny())!r}, output={str(tmp_path / "out")!r}, processes=2)
"""
    command = [sys.executable, "-P", "-"]
    found = subprocess.run(command, check=False, input=text, capture_output=True, text=True, timeout=240)
    assert (found.returncode, found.stdout) == (0, "begun\n"), found.stderr
    assert_same_tables(finished.folder, tmp_path / "out")


def test_an_interrupt_ends_the_points_under_way(tiny, tmp_path):
    """Their results would be lost, and the workers of the next command would stand beside those of this one."""
    path = tiny(('time.duration = "6 h"', 'time.duration = "300 d"'))

    def stop(done, todo):
        if any(item.cpu_times().user > 0.5 for item in living_workers()):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(path, output=tmp_path / "out", processes=2, progress=stop)
    _, alive = psutil.wait_procs(living_workers(), timeout=10)
    assert not alive


@pytest.mark.slow
def test_a_point_that_kills_its_worker_is_given_up(tiny, tmp_path):
    """Whichever point is under way in the one worker is killed three times; the other goes on."""
    path = tiny(
        ("replicates = 2", "replicates = 1"),
        ("count = 3", "count = 2"),
        ('time.duration = "6 h"', 'time.duration = "30 d"'),
    )
    kills = []

    def kill_first(done, todo):
        workers = living_workers()
        for item in workers:
            if len(kills) < 3 and item.cpu_times().user > 0.5:
                kills.append(item.pid)
                item.kill()
                return

    outcome = sweep(path, output=tmp_path / "out", processes=2, progress=kill_first)
    assert len(kills) == 3
    assert len(outcome.failures) + len(times(tmp_path / "out")) == 4
    assert all("was killed" in words for words in outcome.failures["failure"])


def test_a_dask_cluster_gives_the_same(sixty_four, tmp_path):
    distributed = pytest.importorskip("distributed")
    path, whole = sixty_four
    killed = []
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:

        def kill_one(done, todo):
            if done >= 4 and not killed:
                killed.append(cluster.workers[0].pid)
                os.kill(killed[0], signal.SIGKILL)

        outcome = sweep(path, output=tmp_path / "out", scheduler=cluster.scheduler_address, progress=kill_one)
    assert killed and outcome.failures.empty
    assert_same_tables(whole, tmp_path / "out")


def test_two_processes_give_the_same(finished, tiny, tmp_path):
    sweep(tiny(), output=tmp_path / "out", processes=2)
    assert_same_tables(finished.folder, tmp_path / "out")


def test_more_replicates_and_values_keep_what_is_done(serial, tiny):
    _, folder = serial
    before = times(folder)
    path = tiny(("replicates = 2", "replicates = 3"), ('"6e-5 /um^3"]', '"6e-5 /um^3", "40000 /mm^3"]'))
    outcome = sweep(path, output=folder, processes=1)
    assert before.items() <= times(folder).items() and len(times(folder)) == 27
    assert len(outcome.results) == 27 * 2
    assert forecast(path, output=folder).done == 27


@pytest.mark.parametrize(("design", "rows"), [("sobol", 4), ("morris", 3)])
def test_more_samples_go_on_from_fewer(design, rows, tiny, tmp_path):
    pytest.importorskip("SALib")
    plain = [("\ncount = 3", ""), ("replicates = 2", "replicates = 1")]
    few = tiny(('design = "grid"', f'design = "{design}"\nsamples = 2'), *plain)
    sweep(few, output=tmp_path / "out", processes=1)
    before = times(tmp_path / "out")
    more = tiny(('design = "grid"', f'design = "{design}"\nsamples = 4'), *plain)
    outcome = sweep(more, output=tmp_path / "out", processes=1)
    assert len(before) > rows and before.items() <= times(tmp_path / "out").items()
    assert outcome.points == 4 * rows and set(outcome.results["digest"]) == {
        name[:-5] for name in times(tmp_path / "out")
    }


def test_failures_are_kept_apart(tiny, tmp_path):
    """Slots without vessels cannot be placed; a shell without inside is refused before it is run."""
    seeding = '[{ cell = "tumour", density = "60000 /mm^3", within = "60 um" }]'
    path = tiny(
        ('time.step = "60 min"', f'time.step = "60 min"\nseeding = {seeding}'),
        ('key = "fields.cxcl12.held_at"\nlabel = "CXCL12"\nlow = "0.1 nM"\nhigh = "10 nM"\nscale = "log"\ncount = 3',
         'key = "stroma.slots"\nvalues = ["0 /mm^3", "3000 /mm^3"]\n[[parameter]]\nkey = "seeding.0.within"\n'
         'values = ["60 um", "30 um"]'),
        ('key = "seeding.0.density"\nvalues = ["20000 /mm^3", "6e-5 /um^3"]',
         'key = "seeding.0.beyond"\nvalues = ["0 um", "40 um"]'),
    )  # fmt: skip
    outcome = sweep(path, output=tmp_path / "out", processes=1)
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    assert len(outcome.results) == 3 * 2 * 2 and len(failures) == 5 * 2
    assert failures["failure"].str.contains("the shell has no inside").sum() == 4
    assert failures["failure"].notna().all() and set(failures["point"]) == {4, 5, 6, 7, 8}
    assert "**10 runs failed**" in outcome.report
    assert forecast(path, output=tmp_path / "out").refused == 2


def test_folders_of_others_are_refused(serial, tiny, tmp_path):
    path, folder = serial
    with pytest.raises(ExperimentError, match="of another sweep"):
        sweep(tiny(('id = "tiny"', 'id = "other"')), output=folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("!")
    with pytest.raises(ExperimentError, match="something else"):
        sweep(path, output=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "!"


def test_points_of_another_content_are_not_taken(serial):
    """A file under the name of a point that is not that point's is run again."""
    path, folder = serial
    table = (folder / "results.csv").read_bytes()
    one = next((folder / "points").glob("*.json"))
    known = json.loads(one.read_text())
    one.write_text(json.dumps(known | {"digest": "0", "values": {"cells": 1e6, "CXCR4": 0}}))
    sweep(path, output=folder, processes=1)
    assert (folder / "results.csv").read_bytes() == table


def test_commands(serial, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, folder = serial
    run = CliRunner().invoke
    forecast_ = run(app, ["sweep", "tiny.toml", "--dry-run", "-o", str(folder)])
    assert "6 by grid, 2 replicates: 12 runs" in forecast_.output and "12 runs in" in forecast_.output
    assert "that are available" not in forecast_.output
    monkeypatch.setattr("marrowsim.cli.sweeping.available_memory", lambda: 2**20)
    forecast_ = run(app, ["sweep", "tiny.toml", "--dry-run", "-o", str(folder)])
    assert "more than the 1.0 MiB that are available" in forecast_.output
    result = run(app, ["sweep", "tiny.toml", "-o", str(folder), "--processes", "1"])
    assert result.exit_code == 0, result.output
    assert "rank correlation" in result.output and (folder / "figure.png").read_bytes()[:4] == b"\x89PNG"
    assert "oxygen-and-cxcl12" in run(app, ["sweep", "--list"]).output
    (tmp_path / "copy.toml").write_text(run(app, ["sweep", "oxygen-and-cxcl12", "--print"]).output)
    assert load_sweep(tmp_path / "copy.toml").sweep.id == "oxygen-and-cxcl12"


@pytest.mark.parametrize(
    "arguments",
    [[], ["nothing.toml"], ["--print"], ["oxygen-and-cxcl12", "-o", "out", "--scheduler", "localhost"]],
)
def test_commands_refuse(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["sweep", *arguments])
    assert result.exit_code == 2
    assert not list(tmp_path.glob("*/points/*"))


REFERENCE = """
[reference]
readouts = ["cells"]
set.fields.cxcl12.held_at = "0 nM"
set.seeding = [{ cell = "tumour", density = "40000 /mm^3" }]
"""


def test_a_reference(finished, tiny, tmp_path):
    """Values over those of the same seed at other settings, which are run once where they settle the parameters."""
    text = ('name = "cells"\nunit = "cells"', 'name = "cells"')
    path = tiny(text, (TAIL, TAIL + REFERENCE))
    out = tmp_path / "out"
    found = sweep(path, output=out, processes=1)
    assert found.failures.empty and len(times(out)) == 3 * 2 * 2 + 2
    plain = {}
    for seed in found.seeds:
        overrides = {
            "geometry.size": ["100 um"] * 3, "time.duration": "6 h", "time.step": "60 min",
            "fields.cxcl12.held_at": "0 nM", "seeding": [{"cell": "tumour", "density": "40000 /mm^3"}],
        }  # fmt: skip
        simulation = ms.Simulation.from_scenario("culture", seed=seed, overrides=overrides)
        simulation.run()
        plain[seed] = len(simulation.state.cells)
    one, other = (table.results[table.results["readout"] == "cells"] for table in (found, finished))
    np.testing.assert_allclose(one["value"], other["value"].to_numpy() / one["seed"].map(plain), rtol=1e-12)
    levels = [table.results[table.results["readout"] == "CXCR4"]["value"] for table in (found, finished)]
    np.testing.assert_array_equal(*levels)
    assert "changed (`fields.cxcl12.held_at = '0 nM'`" in found.report


def test_a_reference_of_each_point(tiny, tmp_path):
    """Where a parameter stays open each point has its own reference; one without what is counted gives no number."""
    text = ('name = "cells"\nunit = "cells"', 'name = "cells"')
    each = REFERENCE.split("set.seeding", maxsplit=1)[0]
    found = sweep(tiny(text, (TAIL, TAIL + each)), output=tmp_path / "each", processes=1)
    assert found.failures.empty and len(times(tmp_path / "each")) == 3 * 2 * 2 + 2 * 2
    empty = REFERENCE.replace("40000 /mm^3", "0 /mm^3")
    found = sweep(tiny(text, (TAIL, TAIL + empty)), output=tmp_path / "empty", processes=1)
    values = found.results.set_index("readout")["value"]
    assert found.failures.empty and values["cells"].isna().all() and not values["CXCR4"].isna().any()
    assert found.means["CXCR4"].shape == (6,) and np.isnan(found.means["cells"]).all()


def test_a_lost_reference_is_run_again(tiny, tmp_path):
    """A reference that fails takes the runs that are compared with it along; one that was lost is run again."""
    text = ('name = "cells"\nunit = "cells"', 'name = "cells"')
    path, out = tiny(text, (TAIL, TAIL + REFERENCE)), tmp_path / "out"
    whole = sweep(path, output=out, processes=1)
    before = {name: (out / name).read_bytes() for name in TABLES}
    entries = plan_of(load_sweep(path), out).entries
    lost = entries[0].points[1]
    lost.path.unlink()
    assert [entry.values(["cells"]) is None for entry in entries] == [entry.replicate == 1 for entry in entries]
    assert forecast(path, output=out).done == whole.points * 2 + 1
    sweep(path, output=out, processes=1)
    assert lost.path.exists() and before == {name: (out / name).read_bytes() for name in TABLES}
