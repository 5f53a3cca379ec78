"""Which changes of a registration are news: an account that cannot register tries again and again, and is told of once."""

from __future__ import annotations

from voip_engine.snapshots import AccountSnapshot, AccountState


class AccountNews:
    """Remembers what was told of each account last."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[AccountState, str]] = {}

    def is_new(self, account: AccountSnapshot) -> bool:
        """Whether this differs from what was told before; trying again is no news, another reason to fail is."""
        told, says = self._told.get(account.account), (account.state, account.detail)
        trying_again = (
            account.state is AccountState.REGISTERING and told is not None and told[0] is not AccountState.UNREGISTERED
        )
        if says == told or trying_again:
            return False
        self._told[account.account] = says
        return True

    def forget(self, account: str) -> None:
        """Tell of this account whatever comes next: somebody asked for it."""
        self._told.pop(account, None)
