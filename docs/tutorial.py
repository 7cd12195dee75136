# %% [markdown]
# # From a question to a figure
#
# **How much of a CXCR4 antagonist keeps circulating tumour cells out of the marrow, and why not all of them?**
#
# This takes a quarter of an hour on a laptop, most of it reading: one run to look at, an experiment of eight arms, a
# verdict by rules that are written down beforehand, and a figure. It is a script, [tutorial.py](tutorial.py): `python
# tutorial.py` runs it, and editors that know `# %%` run it cell by cell. Runs that are done are not done again.

# %%
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import curve_fit

import marrowsim as ms

# %% [markdown]
# ## One run
#
# The bundled scenario `homing` puts tumour cells into the blood of a piece of marrow. Every number of a scenario can be
# set by its name, with its unit; `marrowsim new homing` prints the scenario, `marrowsim parameters` all there is to
# set. A box of 300 um and a day are enough here.

# %%
small = {
    "geometry.size": ["300 um", "300 um", "300 um"],
    "time.duration": "1 d",
    "injection": [{"cell": "tumour", "density": "40000 /mm^3"}],
}
simulation = ms.Simulation.from_scenario("homing", seed=1, overrides=small)
simulation.run()
course = simulation.readouts.set_index("time (h)")
print(course.loc[[0, 1, 2, 6, 24], ["tumour in blood (cells)", "tumour in marrow (cells)"]])

# %% [markdown]
# Within hours all cells have left the blood. Some arrest at a sinusoid and cross its wall; the others are cleared, or
# taken up by other organs. The state of the run counts each way by its events.

# %%
events = simulation.state.tallies
for name in ("injected:tumour", "entered marrow:tumour", "cleared:tumour", "homed to competitor:tumour"):
    print(f"{name:28} {events[name]:5}")

# %% [markdown]
# ## The experiment
#
# One run says little: another seed is another tissue and other chances. An experiment is a file that says what is
# compared, what is measured, and what would count as support *before* anything runs. Arms change the scenario by values
# (`set`) or by switching arrows off (`knockouts`; `marrowsim parameters --arrows` lists them). All arms run with the
# same seeds, so that they are compared within one tissue.
#
# The doses answer "how much". The knock-out answers "why": it leaves cells to arrest without CXCL12, so that what is
# left by the highest dose and what is left by the knock-out should be the same. That rule asks for equivalence, an
# interval `within` a margin. A ratio that `includes` 1 would be easier to have with few replicates than with many.

# %%
DOSES = {"a003": 0.03, "a01": 0.1, "a03": 0.3, "a1": 1.0, "a3": 3.0, "a30": 30.0}  # uM

head = """
# The margin of the last rule was set after a look at seeds 1 to 8; the verdict is from seeds 101 to 108.
format = 1
id = "antagonist"
title = "An antagonist of CXCR4 and homing to the marrow"
claim = "An antagonist of CXCR4 keeps most tumour cells out of the marrow, and spares those that arrest without CXCL12."
scenario = "homing"
replicates = 8

[set]
geometry.size = ["300 um", "300 um", "300 um"]
time.duration = "1 d"
injection = [{ cell = "tumour", density = "40000 /mm^3" }]

[arms.untreated]

[arms.no_arrest]
label = "arrest without CXCL12"
knockouts = ["CXCL12->arrest"]
"""
arms = "\n".join(
    f'[arms.{name}]\nlabel = "{dose:g} uM"\nset.receptor.antagonist = "{dose:g} uM"\n' for name, dose in DOSES.items()
)
rules = """
[[readout]]
name = "homed"
measure = "share of events"
options = { of = "entered marrow:tumour", to = "injected:tumour" }

[[rule]]
name = "1 uM keeps cells out"
kind = "ratio"
readout = "homed"
of = "a1"
to = "untreated"
supports = { below = 1.0 }
falsifies = { above = 1.0 }

[[rule]]
name = "30 uM halves homing at least"
kind = "ratio"
readout = "homed"
of = "a30"
to = "untreated"
expected = [0.1, 0.5]
supports = { below = 0.5 }

[[rule]]
name = "30 uM leaves what arrests without CXCL12 (negative control)"
kind = "ratio"
readout = "homed"
of = "a30"
to = "no_arrest"
supports = { within = [0.8, 1.25] }
"""
Path("antagonist.toml").write_text(f"{head}\n{arms}\n{rules}")

# %% [markdown]
# It is run by a command, on all processors. If it is killed, the same command goes on where it was; with
# `--replicates 20` it later adds twelve seeds to these eight. A misspelt parameter or arm is told before anything runs.

# %%
command = ["knockout", "antagonist.toml", "--seed", "101", "-o", "runs/antagonist"]
print("marrowsim", *command)
subprocess.run([sys.executable, "-m", "marrowsim", *command], check=True, capture_output=True)

# %% [markdown]
# ## The verdict
#
# The folder now has `report.md`, `figure.png`, `table.csv` and the resolved scenario of every arm. From Python the same
# experiment with the same folder runs nothing, and gives the judgements: each rule's estimate with its 95 % interval.

# %%
outcome = ms.knockout("antagonist.toml", seed=101, output="runs/antagonist", processes=1)
for judged in outcome.judgements:
    found = judged.effect
    print(f"{judged.rule.name}: {found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}], holds: {judged.holds}")
print(outcome.verdict)

# %% [markdown]
# ## The dose that does half
#
# What homes under a dose A, relative to no dose, should fall from 1 to a floor f, half-way at a dose A50:
# f + (1 - f) / (1 + A / A50). The floor is that of the knock-out of the same seed, so that A50 alone is fitted; one
# value a seed tells how sure it is.

# %%
homed = outcome.values["homed"]
relative = np.array([homed[name] / homed["untreated"] for name in DOSES])
floor = homed["no_arrest"] / homed["untreated"]
doses = np.array(list(DOSES.values()))


def response(dose, half, rest):
    """Homing at a dose (uM) over that without."""
    return rest + (1 - rest) / (1 + dose / half)


halves = []
for values, rest in zip(relative.T, floor, strict=True):
    (half,), _ = curve_fit(lambda dose, half, rest=rest: response(dose, half, rest), doses, values, p0=[1.0])
    halves.append(half)
print(f"half of the effect at {np.mean(halves):.2f} uM ({min(halves):.2f} to {max(halves):.2f} over seeds)")
print(f"floor: {np.mean(floor):.2f} of the homing without antagonist")

# %% [markdown]
# ## The figure

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for column, label in (("tumour in blood (cells)", "in the blood"), ("tumour in marrow (cells)", "in the marrow")):
    left.plot(course.index, course[column], label=label)
left.set(xlabel="time (h)", ylabel="tumour cells", title="one run without antagonist")
left.legend(frameon=False)

fine = np.geomspace(0.02, 50, 200)
right.plot(fine, response(fine, np.mean(halves), np.mean(floor)), color="black", linewidth=1, label="fit")
right.plot(doses, relative, "o", color="tab:blue", markersize=3, alpha=0.6)
right.plot(doses, relative.mean(axis=1), "D", color="tab:blue", label="doses, and their seeds")
right.axhspan(floor.min(), floor.max(), color="tab:orange", alpha=0.3, label="arrest without CXCL12")
right.set(xscale="log", ylim=(0, 1.15), xlabel="antagonist (uM)", ylabel="homed, relative to no antagonist")
right.set_title(f"{len(outcome.seeds)} seeds, {outcome.verdict}")
right.legend(frameon=False)
figure.savefig("tutorial.png", dpi=110)

# %% [markdown]
# ![Left: tumour cells leave the blood within hours. Right: homing falls with the dose to the share that arrests without
# CXCL12.](tutorial.png)
#
# So 1 uM does more than half of what the antagonist can do, and no dose does more than take away the arrest that
# depends on CXCL12. The remainder is a parameter, `cells.tumour.arrest_floor`: `marrowsim parameters` tells where it
# comes from and how sure it is, and an arm with another value tells what hangs on it.
#
# ## From here
#
# - Other readouts, kinds of rules and the ten experiments of the program: [EXPERIMENTS.md](EXPERIMENTS.md)
# - A process that the model does not have: [OWN_PROCESS.md](OWN_PROCESS.md)
# - What the model is: [ODD.md](ODD.md)
