"""Makes docs/interop.md from the tests of other projects' programs. Run from the root: python docs/make_interop.py

`--results FILE` takes what `pytest tests/peers --interop FILE` has written instead of running them; `--rows FILE` compares the
page with the rows of a file that need not have verdicts, and exits with 1 if they are others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "interop.md"
COLUMNS = ("feature", "transport", "codec", "verdict")

HEAD = """\
# Tried with

What the tests in `tests/peers` try with programs of other projects, and how it went when this page was made on Debian 12 by
`python docs/make_interop.py`. Each row is a test that runs on every change; a row that fails is no "known limitation" but a
failing build.
"""

Row = dict[str, str]


def main() -> int:
    """Write the page, or check it; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, metavar="FILE")
    parser.add_argument("--rows", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.rows is not None:
        return check(json.loads(options.rows.read_text()))
    rows = json.loads((options.results or run_tests()).read_text())
    PAGE.write_text(page(rows))
    failed = [row for row in rows if row["verdict"] != "passed"]
    print(f"{len(rows)} rows, {len(failed)} of them not passed.")
    return bool(failed)


def run_tests() -> Path:
    """Run the peers' tests; returns the file with their rows."""
    results = Path(tempfile.mkdtemp()) / "rows.json"
    subprocess.run((sys.executable, "-m", "pytest", "-q", "tests/peers", "--interop", results), cwd=ROOT, check=False)
    return results


def check(rows: list[Row]) -> int:
    """Say which rows the page lacks and which it has too many."""
    wanted = set(lines(rows))
    there = {tuple(line[2:-2].split(" | ")[:3]) for line in PAGE.read_text().splitlines() if line.startswith("| ")}
    there -= {COLUMNS[:3], ("---", "---", "---")}
    for sign, names in (("+", wanted - there), ("-", there - wanted)):
        for name in sorted(names):
            print(sign, " | ".join(name))
    return wanted != there


def lines(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """The first columns of each row."""
    return [tuple(row[name] or "–" for name in COLUMNS[:3]) for row in rows]


def page(rows: list[Row]) -> str:
    """The whole page: a table for each peer."""
    parts = [HEAD]
    for (peer, version), group in groupby(rows, key=lambda row: (row["peer"], row["version"])):
        parts.append(f"\n## {peer} {version}\n\n| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n")
        found = list(group)
        for row, names in zip(found, lines(found), strict=True):
            parts.append(f"| {' | '.join(names)} | {row['verdict'] or 'not tried'} |\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.exit(main())
