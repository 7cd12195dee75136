"""docs/EXPERIMENTS.md says what the experiment files say, and takes its verdicts from an overview."""

import importlib
from pathlib import Path

import pytest

from marrowsim.experiments import CLAIMS
from marrowsim.experiments.overview import MATRIX

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "EXPERIMENTS.md").read_text(encoding="utf-8")


@pytest.fixture
def made(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("make_experiments")


def test_every_table_is_that_of_the_files(made):
    assert made.page(TEXT) == TEXT, "run: python docs/make_experiments.py"


def test_a_changed_or_missing_block_is_found(made):
    changed = TEXT.replace("[0.97, 1.03]", "[0.5, 2]").replace("0.97 to 1.03", "0.5 to 2")
    assert changed != TEXT and made.page(changed) == TEXT
    for name in CLAIMS:
        with pytest.raises(ValueError, match="blocks of the document"):
            made.page(TEXT.replace(f"<!-- begin {name} -->", ""))


def test_verdicts_come_from_an_overview(made, tmp_path):
    overview = tmp_path / "overview.md"
    claims = "# Claims and verdicts\n\nmarrowsim 7.\n\n| [S1](S1/report.md) | **supported** |\n"
    overview.write_text(f"{claims}\n{MATRIX}\n\n![](overview.png)\n\n| arm | 0.5 |\n")
    page = made.page(TEXT, overview)
    assert "marrowsim 7.\n\n| S1 | **supported** |" in page
    assert "](experiments.png)" in page and "](overview.png" not in page and "| arm | 0.5 |" not in page
    assert made.page(page) == page
