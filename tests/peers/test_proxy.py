"""Calls and registrations by way of an outbound proxy, kamailio: what passes it is what it logs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.happenings import Happenings
from support.kamailio import Kamailio, kamailio, outbound_proxy

from voip_engine import Engine
from voip_engine.events import AccountChanged, CallAnswered, CallEnded
from voip_engine.network_settings import AdmissionSettings
from voip_engine.settings import AccountSettings, ListenAddress, Secret
from voip_engine.snapshots import AccountState

pytestmark = pytest.mark.peer("kamailio")

PASSWORD = "geheim"


def passed_on(proxy: Kamailio) -> list[tuple[str, str, str]]:
    """Method, Request-URI and first Route of what came to the proxy, without repetitions."""
    lines = re.findall(r"passed on: (\w+) (\S+) by (\S+)", proxy.child.transcript())
    return list(dict.fromkeys(lines))


async def registered(seen: Happenings) -> None:
    while (changed := (await seen.wait_for(AccountChanged)).account).state is not AccountState.REGISTERED:
        assert not changed.detail, changed.detail


@pytest.mark.parametrize("how", ["with Record-Route", "without Record-Route"])
@pytest.mark.interop("kamailio", "UDP", "", "outbound proxy, {how}: registration and a call")
async def test_registrations_and_calls_go_by_the_outbound_proxy(make_engine, tmp_path: Path, how: str) -> None:
    stays = how == "with Record-Route"
    async with (
        kamailio(tmp_path / "registrar", PASSWORD) as pbx,
        outbound_proxy(tmp_path / "proxy", record_route=stays) as proxy,
    ):
        called: Engine = await make_engine(
            listen=("udp:127.0.0.1:0",), auto_answer=True, admission=AdmissionSettings(networks=("127.0.0.0/8",))
        )
        account = AccountSettings(
            uri="sip:alice@pbx.test",
            password=Secret(PASSWORD),
            registrar=f"127.0.0.1:{pbx.port}",
            outbound_proxy=f"127.0.0.1:{proxy.port}",
            voicemail=False,
        )
        caller: Engine = await make_engine(accounts=(account,), listen=("udp:127.0.0.1:0",))
        at_caller, at_called = Happenings(caller), Happenings(called)
        await registered(at_caller)
        target = f"sip:bob@127.0.0.1:{ListenAddress.parse(called.snapshot().listening[0]).port}"
        call = await caller.dial(target, account="sip:alice@pbx.test")
        await at_caller.wait_for(CallAnswered)
        await call.hang_up()
        await at_called.wait_for(CallEnded)
        by_proxy = f"<sip:127.0.0.1:{proxy.port};lr>"
        passed = passed_on(proxy)
        assert passed[:2] == [("REGISTER", f"sip:127.0.0.1:{pbx.port}", by_proxy), ("INVITE", target, by_proxy)]
        assert [method for method, _, _ in passed[2:]] == (["ACK", "BYE"] if stays else [])
