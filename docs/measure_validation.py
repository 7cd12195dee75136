"""Measure again what docs/VALIDATION.md tells: python docs/measure_validation.py [--seeds N] [pytest options]

Runs the tests behind it, the slow ones too, and prints the rows that they record, section by section, with their
95 % intervals (99 % for the time step); then what failed. Further options go to pytest: `-k healthy` measures one.
"""

import argparse
import re
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1] / "tests"
FILES = ("test_fieldsolver_theory.py", "engine", "validation")


class Rows:
    """A pytest plugin that keeps what tests record as properties (section, row)."""

    def __init__(self) -> None:
        self.sections: dict[str, list[str]] = defaultdict(list)
        self.failed: list[str] = []
        self.seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.split("::")[0]] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)
        if report.when == "call":
            for section, row in report.user_properties:
                self.sections[section].append(row)


def number(row: str) -> int:
    """Of a target, such as 12 of A12; 0 of other rows, whose order stays."""
    found = re.match(r"[A-Z](\d+) ", row)
    return int(found[1]) if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, help="seeds of each slow measurement, instead of its own number")
    chosen, further = parser.parse_known_args()
    if chosen.seeds is not None:
        further += ["--seeds", str(chosen.seeds)]
    rows, begin = Rows(), time.monotonic()
    code = pytest.main([*(str(TESTS / name) for name in FILES), "-m", "not bench", *further], plugins=[rows])
    for section, found in rows.sections.items():
        print(f"\n## {section}\n")
        for row in sorted(found, key=number):
            print(f"| {row} |")
    print(f"\n{time.monotonic() - begin:.0f} s: " + ", ".join(f"{name} {s:.0f} s" for name, s in rows.seconds.items()))
    for name in rows.failed:
        print(f"failed: {name}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
