"""A phone that may call because it knows a password, and one that does not know it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.baresip import baresip
from support.happenings import Happenings
from support.uris import uri_of

from voip_engine import Engine, EngineSettings, Secret
from voip_engine.events import CallAnswered, CallEnded, RequestTurnedAway
from voip_engine.network_settings import AdmissionSettings, AdmittedUser

PASSWORD = "geheim"
BRANCH = AdmittedUser(username="branch", password=Secret(PASSWORD))


def settings(transport: str) -> EngineSettings:
    door = AdmissionSettings(networks=(), users=(BRANCH,))
    return EngineSettings(listen=(f"{transport}:127.0.0.1:0",), auto_answer=True, admission=door)


@pytest.mark.peer("baresip")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_who_knows_the_password_is_let_in_call_after_call(tmp_path: Path, transport: str) -> None:
    account = f"sip:branch@127.0.0.1:{{port}};transport={transport}"
    parameters = ("regint=0", "auth_user=branch", f"auth_pass={PASSWORD}")
    async with Engine(settings(transport)) as engine, baresip(tmp_path, account, parameters=parameters) as phone:
        happened = Happenings(engine)
        for _ in range(2):
            await phone.dial(uri_of(engine, transport))
            answered = await happened.wait_for(CallAnswered)
            await phone.hang_up()
            assert (await happened.wait_for(CallEnded, call_id=answered.call_id)).by == "remote"
        assert engine.snapshot().turned_away == 0


@pytest.mark.peer("baresip")
async def test_who_does_not_know_it_is_turned_away(tmp_path: Path) -> None:
    account = "sip:branch@127.0.0.1:{port};transport=udp"
    parameters = ("regint=0", "auth_user=branch", "auth_pass=wrong")
    async with Engine(settings("udp")) as engine, baresip(tmp_path, account, parameters=parameters) as phone:
        happened = Happenings(engine)
        await phone.dial(uri_of(engine))
        assert (await happened.wait_for(RequestTurnedAway)).reason == "the password of a listed user is wrong"
        await phone.event("CALL_CLOSED")
        assert not engine.calls
