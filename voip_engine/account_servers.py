"""Where the servers of our accounts are now, so that calls from there are let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voip_engine.addresses import servers_of
from voip_engine.settings import AccountSettings
from voip_engine.signalling import Signalling
from voip_engine.sip.flow import NextHop
from voip_engine.sip.network.transport import TransportError

LOOK_UP_EVERY_S = 60.0
"""Names move, and a name with many addresses gives another one each time."""
RETRY_S = 5.0


async def watch_servers(
    accounts: tuple[AccountSettings, ...], signalling: Signalling, found: Callable[[str, list[str]], None]
) -> None:
    """Look up every account's servers again and again until cancelled.

    The literal addresses of each are told with the account's address of record.
    """
    accounts_at: dict[NextHop, list[str]] = {}
    for account in accounts:
        for hop in servers_of(account):
            accounts_at.setdefault(hop, []).append(str(account.address_of_record))
    while accounts_at:
        missing = False
        addresses = await asyncio.gather(*(_addresses(signalling, hop) for hop in accounts_at))
        for names, hosts in zip(accounts_at.values(), addresses, strict=True):
            for name in names:
                found(name, hosts)
            missing |= not hosts
        await asyncio.sleep(RETRY_S if missing else LOOK_UP_EVERY_S)


async def _addresses(signalling: Signalling, hop: NextHop) -> list[str]:
    try:
        return await signalling.addresses_of(hop)
    except TransportError:
        return []  # its registration says why
