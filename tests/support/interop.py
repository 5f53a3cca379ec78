"""Rows of docs/interop.md: what tests marked `interop` have tried with which peer, and how it went."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from support.programs import PACKAGES


@dataclass(frozen=True, order=True)
class Row:
    """One thing tried with one peer. `verdict` is `passed` or `failed`, empty where nobody has tried."""

    peer: str
    feature: str
    transport: str
    codec: str
    version: str = ""
    verdict: str = ""

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What tells it from other rows."""
        return (self.peer, self.feature, self.transport, self.codec)


def rows_of(item: pytest.Item) -> list[Row]:
    """The rows that a test stands for."""
    parameters = getattr(item, "callspec", None)
    values = parameters.params if parameters is not None else {}
    rows = []
    for marker in item.iter_markers("interop"):
        peer, transport, codec, feature = (text.format(**values) for text in marker.args)
        rows.append(Row(peer, feature, transport.upper(), codec))
    return rows


class Results:
    """Collects rows over a session of tests."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}
        self._failed: set[str] = set()
        self._passed: set[str] = set()

    def collected(self, item: pytest.Item) -> None:
        """Note which rows a test stands for."""
        if rows := rows_of(item):
            self._rows[item.nodeid] = rows

    def reported(self, report: pytest.TestReport) -> None:
        """Note how a test went."""
        if report.failed:
            self._failed.add(report.nodeid)
        elif report.when == "call" and report.passed:
            self._passed.add(report.nodeid)

    def write(self, path: Path) -> None:
        """Write all rows as JSON, sorted; a row that several tests stand for has passed if all of them have."""
        verdicts: dict[Row, set[str]] = {}
        for nodeid, rows in self._rows.items():
            verdict = "failed" if nodeid in self._failed else "passed" if nodeid in self._passed else ""
            for row in rows:
                verdicts.setdefault(row, set()).add(verdict)
        versions = {peer: _version(peer) for peer in {row.peer for row in verdicts}}
        found = [
            replace(row, version=versions[row.peer], verdict=min(seen, key=["failed", "", "passed"].index))
            for row, seen in verdicts.items()
        ]
        path.write_text(json.dumps([asdict(row) for row in sorted(found)], indent=1))


def read_rows(path: Path) -> list[Row]:
    """Read what `Results.write` wrote."""
    return [Row(**fields) for fields in json.loads(path.read_text())]


def _version(peer: str) -> str:
    """The Debian version of the packages that a peer's name, such as `baresip, kamailio`, stands for."""
    names = {"sipp": "sipp", "coturn": "turnserver", "linphone": "linphonec"}
    packages = [PACKAGES[names.get(name, name)] for name in peer.split(", ")]
    query = ("dpkg-query", "-W", "-f", "${Version} ", *packages)
    versions = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
    return ", ".join(version.partition(":")[2] or version for version in versions)
