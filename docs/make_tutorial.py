"""Write docs/TUTORIAL.md and its figure by running docs/tutorial.py: python docs/make_tutorial.py [--check]

Text cells become text, code cells become code with what they print below. With --check nothing is run or written, and
the exit code is 1 where the page has other text or code than the script.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SCRIPT = Path(__file__).with_name("tutorial.py")
DOCUMENT = SCRIPT.with_name("TUTORIAL.md")
PICTURE = SCRIPT.with_name("tutorial.png")
CELL = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)
PRINTED = re.compile(r"```text\n.*?```\n\n", re.DOTALL)


def cells(text: str) -> Iterator[tuple[bool, str]]:
    """Cells of a script: whether each is text, and what it holds."""
    _, *parts = CELL.split(text)
    for mark, body in zip(parts[::2], parts[1::2], strict=True):
        yield bool(mark), re.sub(r"^# ?", "", body, flags=re.MULTILINE).strip() if mark else body.strip()


def without_prints(text: str) -> str:
    """The page as the script says, before it is run."""
    return "".join(f"{body}\n\n" if is_text else f"```python\n{body}\n```\n\n" for is_text, body in cells(text))


def executed(text: str) -> str:
    """The page with what each cell prints; files are left in the working directory.

    Raises
    ------
    Exception
        Whatever a cell raises.
    """
    parts, names = [], {"__name__": "tutorial"}
    for is_text, body in cells(text):
        parts.append(f"{body}\n\n" if is_text else f"```python\n{body}\n```\n\n")
        if not is_text:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(body, SCRIPT.name, "exec"), names)
            parts.append(f"```text\n{printed.getvalue().rstrip()}\n```\n\n" if printed.getvalue() else "")
    return "".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--check", action="store_true", help="run and write nothing; exit 1 where the page is out of date"
    )
    text = SCRIPT.read_text(encoding="utf-8")
    if parser.parse_args().check:
        return int(PRINTED.sub("", DOCUMENT.read_text(encoding="utf-8")) != without_prints(text))
    os.environ["MPLBACKEND"] = "agg"
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        page = executed(text)
        shutil.copyfile(PICTURE.name, PICTURE)
    DOCUMENT.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
