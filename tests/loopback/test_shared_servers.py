"""Two accounts at one server: whatever that server sends is for one of them, though it may not say for which."""

from __future__ import annotations

import pytest
from support.happenings import Happenings
from support.sip_caller import caller, description

from voip_engine import AccountSettings
from voip_engine.events import CallRefused
from voip_engine.network_settings import AdmissionSettings


@pytest.mark.parametrize(
    ("first", "second", "engine_s", "status"),
    [("required", "required", "off", 488), ("off", "required", "off", 488), (None, None, "off", 200)],
)
async def test_a_call_for_neither_account_follows_the_strictest(make_engine, first, second, engine_s, status):
    accounts = tuple(
        AccountSettings(uri=f"sip:{user}@127.0.0.1:9", register=False, srtp=srtp, voicemail=False)
        for user, srtp in (("a1", first), ("a2", second))
    )
    here = AdmissionSettings(networks=("127.0.0.0/8",))  # from the first moment on
    engine = await make_engine(auto_answer=True, accounts=accounts, srtp=engine_s, admission=here)
    happened = Happenings(engine)
    async with caller(engine) as phone:
        for user in ("a2", "group"):
            final = await phone.invite(description(4000), user)
            assert final.status == status
            if status == 488:
                assert "not encrypted" in (await happened.wait_for(CallRefused)).reason
        if first == "off":
            assert (await phone.invite(description(4000), "a1")).status == 200
