"""The blocks of docs/OWN_PROCESS.md are one script that runs as it stands."""

import ast
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "OWN_PROCESS.md"


def test_the_page_runs(tmp_path):
    """Its own assertions hold: survival by the law at two pO2, a dose of 0 without effect, the same bits resumed."""
    script = "".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL))
    assert script.count("assert ") == 3
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    survived = [float(line.split()[2]) for line in done.stdout.splitlines() if "survive" in line]
    assert survived[0] < survived[1]
    types = ast.literal_eval(done.stdout.splitlines()[-1])
    assert types["tumour"] > types["slow"] > 0
