"""docs/interop.md names what the tests here try: no row more, no row less."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.processes import REPOSITORY


def test_the_page_has_the_rows_of_the_tests(tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    collect = (sys.executable, "-m", "pytest", "-q", "--collect-only", "tests/peers", "--interop", str(rows))
    subprocess.run(collect, cwd=REPOSITORY, check=True, capture_output=True)
    checking = (sys.executable, "docs/make_interop.py", "--rows", str(rows))
    checked = subprocess.run(checking, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, (
        f"Run `python docs/make_interop.py`: its rows are others.\n{checked.stdout}{checked.stderr}"
    )
