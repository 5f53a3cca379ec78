"""`voip-tui` and `python -m voip_tui`."""

from __future__ import annotations

import sys

from voip_engine.interrupts import end_on_interrupt


def main() -> int:
    """Run the command line as a process of its own; returns the exit status."""
    end_on_interrupt()
    from voip_tui import cli  # not before: it takes a while

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
