"""docs/ODD.md says what the code does."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
ODD = runpy.run_path(str(DOCS / "make_odd.py"))
TEXT = (DOCS / "ODD.md").read_text(encoding="utf-8")


def test_every_table_is_that_of_the_code():
    assert ODD["renewed"](TEXT) == TEXT, "run: python docs/make_odd.py"


def test_a_changed_or_missing_block_is_found():
    assert ODD["renewed"](TEXT.replace("CAR cell", "CAT cell")) != TEXT.replace("CAR cell", "CAT cell")
    with pytest.raises(ValueError, match="blocks of the document"):
        ODD["renewed"](TEXT.replace("<!-- begin arrows -->", ""))
