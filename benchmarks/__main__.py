"""Every figure that this project states, one after the other: `make bench`, or `python -m benchmarks [NAME …]`.

Needs Linux, two cores and a quiet machine: what else runs here is measured, too.
"""

from __future__ import annotations

import subprocess
import sys
import time

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "codecs": (),
    "media_capacity PCMU": ("--codec", "PCMU", "--find"),
    "media_capacity PCMA": ("--codec", "PCMA", "--find"),
    "media_capacity G722": ("--codec", "G722", "--find"),
    "media_capacity opus": ("--codec", "opus", "--find"),
    "media_srtp": (),
    "media_unbroken_speech": (),
    "media_restart": (),
    "line_lossy": (),
    "flood": (),
    "short_calls": (),
    "voice_activity": (),
    "recognition": (),
    "recognition_noise": (),
    "synthesis": (),
    "heard_history": (),
    "agent_turn": (),
    "agent_first_clause": (),
    "agent_interruption": (),
    "agent_memory": (),
    "speech_load": (),
    "noise_to_transcript": (),
    "console_start": (),
    "console_keys": (),
    "console_load": (),
}


def main() -> int:
    """Run the named benchmarks, or all; returns 1 if one broke down."""
    wanted = sys.argv[1:]
    unknown = [name for name in wanted if not any(title.startswith(name) for title in BENCHMARKS)]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    broken = 0
    for title, arguments in BENCHMARKS.items():
        if wanted and not any(title.startswith(name) for name in wanted):
            continue
        module = f"benchmarks.{title.split()[0]}"
        print(f"\n## {title}\n\n    python -m {' '.join((module, *arguments))}\n", flush=True)
        began = time.monotonic()
        broken |= subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode != 0
        print(f"\n({time.monotonic() - began:.0f} s)", flush=True)
    return broken


if __name__ == "__main__":
    sys.exit(main())
