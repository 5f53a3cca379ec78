"""Who we say we are."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("voip-tui")
except PackageNotFoundError:  # run from a checkout that is not installed
    VERSION = "0+checkout"

USER_AGENT = f"voip-tui/{VERSION}"
