"""One target under atheris (libFuzzer): `python -m tests.fuzz.child TARGET FINDINGS [libFuzzer's arguments]`.

Only the runner beside this starts it. Findings are saved to the folder FINDINGS before the process ends with an error.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["voip_engine", "aioice.stun"]):
    from .targets import TARGETS

from .guard import Finding, check


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    target = TARGETS[name]

    def run(data: bytes) -> None:
        try:
            check(target, data)
        except Finding as finding:
            folder.mkdir(parents=True, exist_ok=True)
            saved = folder / f"{name}-{sha256(finding.data).hexdigest()[:16]}"
            saved.write_bytes(finding.data)
            print(f"{finding}; saved as {saved}", file=sys.stderr, flush=True)
            raise

    atheris.Setup([sys.argv[0], *sys.argv[3:]], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
