"""`python -m voip_engine`: the engine without a screen."""

import sys

from voip_engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
