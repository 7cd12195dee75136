"""CXCR4 from a hypoxic primary tumour into the marrow, with and without its induction (8 paired seeds)."""

import numpy as np
import pytest

from marrowsim import Simulation
from marrowsim.processes.circulation import LEFT, SEEDED
from marrowsim.validation import bootstrap_interval, interval_text

pytestmark = pytest.mark.slow
SEEDS = 8
BOX = {
    "geometry.size": ["300 um", "400 um", "400 um"],
    "soft_tissue.width": "400 um",
    "seeding": [{"cell": "tumour", "density": "900000 /mm^3", "site": "soft_tissue", "within": "130 um"}],
    "time.duration": "10 d",
}
ARMS = {"baseline": [], "no induction": ["hypoxia->CXCR4"]}
COLUMNS = (
    "CXCR4 in the primary",
    "CXCR4 on leaving it",
    "CXCR4 on arrest in marrow",
    "inherited level in the primary",
    "inherited level on leaving it",
    "inherited level on arrest in marrow",
    "left into blood",
    "arrested in marrow",
    "arrested in marrow of those that left",
    "in marrow at the end",
)


@pytest.fixture(scope="module")
def outcome(seeds):
    """The columns at ten days, one row a seed; levels in the primary are means over time, by how many left then."""
    rows = {arm: [] for arm in ARMS}
    for arm, knockouts in ARMS.items():
        for seed in seeds(SEEDS):
            simulation = Simulation.from_scenario(
                "metastasis", seed=seed, threads=1, overrides={**BOX, "knockouts": knockouts}
            )
            simulation.run()
            code, table = simulation.config.code("tumour"), simulation.readouts
            left, seeded = (simulation.state.records[what][code] for what in (LEFT, SEEDED))
            weights = np.diff(table["tumour left into blood (events)"])  # as cells leave, most of them late
            present, inherited = (
                np.average(table[f"tumour {words}CXCR4 mean in soft tissue (1)"][1:], weights=weights)
                for words in ("", "inherited ")
            )
            levels = [present, left[1] / left[0], seeded[1] / seeded[0]]
            levels += [inherited, left[2] / left[0], seeded[2] / seeded[0]]
            rows[arm].append(
                [*levels, left[0], seeded[0], seeded[0] / left[0], table["tumour in marrow (cells)"].iloc[-1]]
            )
    return {arm: np.array(found, dtype=float) for arm, found in rows.items()}


def column(outcome, arm, name):
    """Values of a column over seeds."""
    return outcome[arm][:, COLUMNS.index(name)]


def test_table(outcome, record_property):
    for name in COLUMNS:
        ratio = column(outcome, "no induction", name) / column(outcome, "baseline", name)
        found = [*(column(outcome, arm, name) for arm in ARMS), ratio]
        texts = [interval_text(bootstrap_interval(values)) for values in found]
        record_property("From the primary to the marrow", f"{name} | {' | '.join(texts)}")
    assert column(outcome, "baseline", "left into blood").min() > 100


def test_hypoxia_raises_the_level_of_the_cells_that_leave(outcome):
    induced = column(outcome, "baseline", "CXCR4 on leaving it")
    assert bootstrap_interval(induced / column(outcome, "baseline", "inherited level on leaving it"))[1] > 1.5
    plain = column(outcome, "no induction", "CXCR4 on leaving it")
    assert plain == pytest.approx(column(outcome, "no induction", "inherited level on leaving it"), rel=1e-6)


def test_without_induction_a_smaller_share_of_the_shed_cells_arrests_in_marrow(outcome):
    share = "arrested in marrow of those that left"
    ratio = column(outcome, "no induction", share) / column(outcome, "baseline", share)
    assert bootstrap_interval(ratio)[2] < 1.0
