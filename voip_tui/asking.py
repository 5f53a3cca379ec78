"""What is asked on the terminal before there is a screen."""

from __future__ import annotations

import sys

from voip_engine.interrupts import interruptible


def ask_password(account: str) -> str:
    """Ask for an account's password without echo; empty for none. Raises KeyboardInterrupt or EOFError if nobody types one."""
    from getpass import getpass

    with interruptible():
        try:
            return getpass(f"Password for {account} (empty for none): ")
        except (KeyboardInterrupt, EOFError):
            print(file=sys.stderr)  # or the shell would go on in the middle of this line
            raise
