"""The accounts of an engine and their registrations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from msgspec.structs import replace

from voip_engine.addresses import registers_at, registrar_of, routes_of
from voip_engine.errors import EngineError
from voip_engine.events import AccountChanged, AnyEvent, VoicemailChanged
from voip_engine.instance import instance_urn
from voip_engine.network_watch import watch_network
from voip_engine.settings import AccountSettings
from voip_engine.signalling import Signalling
from voip_engine.sip.effects import MessagesWaiting, RegistrationChanged
from voip_engine.sip.flow import Path
from voip_engine.sip.network.transport import TransportError
from voip_engine.sip.registrations.registration import AccountConfig
from voip_engine.snapshots import AccountSnapshot, AccountState, VoicemailSnapshot

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 60.0


class Accounts:
    """Registers every account that wants it and keeps how each one stands."""

    def __init__(
        self, settings: tuple[AccountSettings, ...], signalling: Signalling, publish: Callable[[AnyEvent], None]
    ) -> None:
        self.settings = settings
        self._signalling = signalling
        self._publish = publish
        self._by_name = {str(account.address_of_record): account for account in settings}
        self._snapshots = {name: self._initial(name, account) for name, account in self._by_name.items()}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._paths: dict[str, tuple[Path, ...]] = {}
        self._wanted: set[str] = set()
        self._watch: asyncio.Task[None] | None = None
        self._unregistered = asyncio.Event()
        for name, account in self._by_name.items():
            aor = account.address_of_record
            signalling.core.add_account(
                AccountConfig(
                    account=name,
                    aor=aor,
                    contact_user=aor.user or "voip-tui",
                    username=account.username or aor.user or "",
                    password=account.password.reveal() if account.password else None,
                    display_name=account.display_name,
                    registrar=registrar_of(account),
                    expires_s=account.expires_s,
                    register=account.register,
                    instance=instance_urn(name),
                    routes=routes_of(account),
                    registers_at=registers_at(account),
                )
            )

    def snapshots(self) -> tuple[AccountSnapshot, ...]:
        """Return every account as it stands, in the order of the settings."""
        return tuple(self._snapshots.values())

    def display_name(self, name: str) -> str:
        """Return what an account calls itself to others."""
        return self._by_name[name].display_name

    def start(self) -> None:
        """Register every account that the settings want registered, and again whenever the network has changed."""
        for name, account in self._by_name.items():
            if account.register:
                self.register(name)
        if self._by_name:
            self._watch = asyncio.create_task(
                watch_network(self._addresses, self.network_changed), name="network watch"
            )

    def network_changed(self) -> None:
        """Register again at once: this machine slept or has another address."""
        self._signalling.network_changed()
        for name in self._wanted:
            self._renew(name)

    def register(self, name: str) -> None:
        """Register an account, now and again whenever it is due. Raises EngineError for an unknown one."""
        self._require(name)
        self._wanted.add(name)
        self._renew(name)

    def unregister(self, name: str) -> None:
        """Take an account's binding back. Raises EngineError for an unknown one."""
        self._require(name)
        self._wanted.discard(name)
        self._cancel(name)
        if self._snapshots[name].state in (AccountState.REGISTERED, AccountState.REGISTERING):
            self._signalling.perform(self._signalling.core.unregister(name, self._signalling.now))

    def apply(self, effect: RegistrationChanged) -> None:
        """Follow what the SIP core says of a registration."""
        self._change(
            effect.account,
            AccountState(effect.state),
            status=effect.status,
            detail=effect.detail,
            expires_at=self._wall_time(effect.expires_at),
            retry_at=self._wall_time(effect.retry_at),
            public_address=effect.public_address,
        )
        if effect.state == "registered" and self._by_name[effect.account].voicemail:
            core = self._signalling.core
            self._signalling.perform(core.watch_mailbox(effect.account, self._signalling.now))
        # Who answers is the right one. To ask again at once whenever its name leads somewhere else would be to hammer.
        unreached = effect.state == "failed" and effect.status in (None, 503)
        if unreached and effect.retry_at is not None and effect.account in self._wanted:
            self._relocate(effect.account)

    def messages_waiting(self, effect: MessagesWaiting) -> None:
        """Follow what an account's mailbox says of itself."""
        voicemail = VoicemailSnapshot(waiting=effect.waiting, new=effect.new, old=effect.old)
        before = self._snapshots[effect.account]
        if voicemail != before.voicemail:
            self._snapshots[effect.account] = replace(before, voicemail=voicemail)
            self._publish(VoicemailChanged(time.time(), effect.account, voicemail))

    async def close(self, within_s: float) -> None:
        """Unregister all; waits for the registrars' answers, but not longer than `within_s`."""
        for name in self._by_name:
            self.unregister(name)
        if self._watch is not None:
            self._watch.cancel()
            self._tasks["network watch"] = self._watch
        tasks = tuple(self._tasks.values())
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(within_s):
                while self._any_bound():
                    self._unregistered.clear()
                    await self._unregistered.wait()
        except TimeoutError:
            pass

    def _any_bound(self) -> bool:
        return any(
            snapshot.state in (AccountState.REGISTERED, AccountState.REGISTERING)
            for snapshot in self._snapshots.values()
        )

    async def _register(self, name: str) -> None:
        """Find the registrar, however long its name does not resolve; from then on the core does the rest."""
        retry_s = FIRST_RETRY_S
        registrar = registrar_of(self._by_name[name])
        while True:
            if self._snapshots[name].state is not AccountState.REGISTERED:
                self._change(name, AccountState.REGISTERING)
            try:
                paths = await self._signalling.paths_to(registrar)
                break
            except TransportError as error:
                retry_at = time.time() + retry_s
                self._change(name, AccountState.FAILED, detail=str(error), retry_at=retry_at)
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)
        self._bind(name, paths)

    async def _find_again(self, name: str) -> None:
        """Look up a registrar that none of the known servers answers for: its name may lead elsewhere by now."""
        try:
            paths = await self._signalling.paths_to(registrar_of(self._by_name[name]))
        except TransportError:
            return  # the core goes on trying those we know
        if {path.hop for path in paths} != {path.hop for path in self._paths[name]}:
            self._bind(name, paths)

    def _bind(self, name: str, paths: tuple[Path, ...]) -> None:
        self._paths[name] = paths
        self._snapshots[name] = replace(self._snapshots[name], transport=paths[0].hop.transport)
        core = self._signalling.core
        self._signalling.perform(core.register(name, paths[0].local, self._signalling.now, paths))

    def _renew(self, name: str) -> None:
        self._cancel(name)
        self._tasks[name] = asyncio.create_task(self._register(name), name=f"register {name}")

    def _relocate(self, name: str) -> None:
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = asyncio.create_task(self._find_again(name), name=f"find {name}")

    def _addresses(self) -> dict[str, str]:
        """Return our address on the way to each server we know."""
        hosts = {path.hop.host for paths in self._paths.values() for path in paths}
        return {host: self._signalling.source_address(host) for host in hosts}

    def _change(
        self,
        name: str,
        state: AccountState,
        *,
        status: int | None = None,
        detail: str = "",
        expires_at: float | None = None,
        retry_at: float | None = None,
        public_address: str = "",
    ) -> None:
        before = self._snapshots[name]
        after = replace(
            before,
            state=state,
            status=status,
            detail=detail,
            expires_at=expires_at,
            retry_at=retry_at,
            public_address=public_address,
        )
        self._snapshots[name] = after
        if state in (AccountState.UNREGISTERED, AccountState.FAILED):
            self._unregistered.set()
        if after != before:
            self._publish(AccountChanged(time.time(), after))

    def _initial(self, name: str, account: AccountSettings) -> AccountSnapshot:
        hop = registrar_of(account)
        registrar = f"{hop.host}:{hop.port}" if hop.port else hop.host
        return AccountSnapshot(
            account=name, state=AccountState.UNREGISTERED, transport=hop.transport, registrar=registrar
        )

    def _wall_time(self, core_time: float | None) -> float | None:
        return None if core_time is None else time.time() + core_time - self._signalling.now

    def _cancel(self, name: str) -> None:
        task = self._tasks.get(name)
        if task is not None:
            task.cancel()

    def _require(self, name: str) -> None:
        if name not in self._by_name:
            raise EngineError(f"There is no account {name}; there are {', '.join(self._by_name) or 'none'}.")
