"""docs/TUTORIAL.md is what docs/tutorial.py says and gives."""

import importlib
from pathlib import Path

import pytest
from matplotlib import image

DOCS = Path(__file__).parents[1] / "docs"
SCRIPT = (DOCS / "tutorial.py").read_text(encoding="utf-8")
PAGE = (DOCS / "TUTORIAL.md").read_text(encoding="utf-8")


@pytest.fixture
def made(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("make_tutorial")


def test_the_page_has_the_text_and_code_of_the_script(made):
    assert made.PRINTED.sub("", PAGE) == made.without_prints(SCRIPT), "run: python docs/make_tutorial.py"
    assert "supported" in "".join(made.PRINTED.findall(PAGE))


def test_links_of_the_page_lead_somewhere(made):
    targets = [part.split(")")[0] for part in PAGE.split("](")[1:]]
    assert "tutorial.png" in targets and all((DOCS / target).is_file() for target in targets)


def test_cells_print_below_themselves(made):
    page = made.executed("# %% [markdown]\n# # One\n#\n# two\n\n# %%\nx = 6\n\n# %%\nprint(7 * x)\n")
    assert page == "# One\n\ntwo\n\n```python\nx = 6\n```\n\n```python\nprint(7 * x)\n```\n\n```text\n42\n```\n\n"


@pytest.mark.slow
def test_the_script_gives_what_the_page_shows(made, tmp_path, monkeypatch):
    """Run anew, every number printed is that of the page, since runs are repeatable to the bit."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    assert made.executed(SCRIPT) == PAGE
    picture = image.imread(tmp_path / "tutorial.png")
    assert picture.shape == image.imread(DOCS / "tutorial.png").shape and picture[..., :3].std() > 0.1
