"""`python -m voip_tui`."""

import sys

from voip_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
