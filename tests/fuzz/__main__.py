"""Fuzzes every parser of what strangers send: `python -m tests.fuzz [TARGET …]`, from the root of the repository.

Each target runs in a process of its own under atheris (libFuzzer), two side by side, at the lowest priority. Their time is cut
into turns, so that each is reached early; what a turn has learnt, the next goes on from. Ends with 1 if anything was found: an
exception that is not the parser's own, a promise broken, more than linear time, or memory beyond a gigabyte. `--replay FILE …`
runs saved findings through the named target instead. Needs the `dev` extra on Linux (x86-64).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from .guard import check
from .targets import TARGETS

_TURN_S = 60.0
_HANGING_S = 30
_MEMORY_MB = 1024
_RUNS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_CHATTER = ("INFO:", "WARNING: Failed to find function", "\tNEW", "#")
_ROOT = Path(__file__).parents[2]


@dataclass
class Tally:
    """What has come of it so far."""

    runs: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all unless given")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="for all of it, on the clock (default: %(default)g)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side (default: %(default)s)")
    parser.add_argument("--work", type=Path, help="keep what was learnt and found here (default: a new folder)")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="run these inputs through one target")
    options = parser.parse_args()
    if not options.replay and find_spec("atheris") is None:
        parser.error("atheris is not installed: pip install '.[dev]' brings it on Linux (x86-64)")
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if options.replay:
        if len(options.targets) != 1:
            parser.error("name the one target to replay the files through")
        for path in options.replay:
            check(TARGETS[options.targets[0]], path.read_bytes())
        return 0
    work = options.work or Path(tempfile.mkdtemp(prefix="voip-fuzz-"))
    return fuzz(options.targets or list(TARGETS), options.seconds, options.jobs, work)


def fuzz(names: list[str], seconds: float, jobs: int, work: Path) -> int:
    """Give every target its share of the time; 1 if anything was found."""
    os.nice(19 - os.nice(0))
    for name in names:
        prepare(name, work)
    share_s = seconds * jobs / len(names)
    rounds = max(1, round(share_s / _TURN_S))
    turn_s = max(1, round(share_s / rounds))
    tally = Tally()
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        for _ in range(rounds):
            list(pool.map(lambda name: take_turn(name, turn_s, work, tally), names))
            print(f"after {time.monotonic() - began:.0f} s: {sum(tally.runs.values())} inputs", flush=True)
    for name in names:
        print(f"  {name:<16} {tally.runs[name]:>10} inputs, {tally.failures[name] or 'no'} findings")
    print(f"{sum(tally.runs.values())} inputs in {time.monotonic() - began:.0f} s, {len(names)} targets")
    if tally.failures:
        print(f"Found something; the inputs are in {work / 'findings'}. Run one again with", file=sys.stderr)
        print("  python -m tests.fuzz TARGET --replay FILE", file=sys.stderr)
    return int(bool(tally.failures))


def prepare(name: str, work: Path) -> None:
    """Lay out a target's first inputs and its dictionary."""
    corpus = work / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[name].seeds:
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    words = ["".join(f"\\x{byte:02x}" for byte in word) for word in TARGETS[name].words or (b"\0",)]
    (work / f"{name}.dict").write_text("".join(f'"{word}"\n' for word in words))


def take_turn(name: str, turn_s: int, work: Path, tally: Tally) -> None:
    """Fuzz one target for one turn, and print what it found."""
    findings = work / "findings"
    findings.mkdir(exist_ok=True)
    command = [
        *(sys.executable, "-m", f"{__package__}.child", name, str(findings), str(work / "corpus" / name)),
        *(f"-max_total_time={turn_s}", f"-max_len={TARGETS[name].longest}", f"-dict={work / name}.dict"),
        *(f"-timeout={_HANGING_S}", f"-rss_limit_mb={_MEMORY_MB}", f"-artifact_prefix={findings / name}-"),
        *("-print_final_stats=1", "-verbosity=1", "-reload=0"),
    ]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, errors="replace", check=False)
    ran = _RUNS.search(done.stderr)
    tally.runs[name] += int(ran.group(1)) if ran else 0
    if done.returncode:
        tally.failures[name] += 1
        said = "".join(line for line in done.stderr.splitlines(keepends=True) if not line.startswith(_CHATTER))
        print(f"--- {name}, exit status {done.returncode}\n{said[-6000:]}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
