"""Calls whose requests are challenged (RFC 3261 §22)."""

from __future__ import annotations

import pytest
from support.sip_requests import CONTACT, PROXY_CHALLENGE, account, new_core, place, requests, respond
from support.sip_wire import ANSWER

from voip_engine.sip.effects import SessionAnswered, SessionEnded


def test_a_challenged_invite_is_acknowledged_and_sent_again_with_credentials() -> None:
    core = new_core()
    core.add_account(account())
    session, invite = place(core, "sip:alice@pbx.example")
    ack, again = requests(respond(core, invite, 407, PROXY_CHALLENGE))
    assert (ack.method, again.method) == ("ACK", "INVITE")
    assert ack.vias[0].branch == invite.vias[0].branch != again.vias[0].branch
    assert (again.call_id, again.from_.tag, again.cseq.number) == (session, invite.from_.tag, 2)
    assert 'username="alice"' in (again.headers.get("Proxy-Authorization") or "")
    effects = respond(core, again, 200, CONTACT, body=ANSWER)
    [ack] = requests(effects)
    assert str(ack.uri) == "sip:carol@10.0.0.7"
    assert "Proxy-Authorization" not in ack.headers, "whom we called has asked for nothing"
    assert len([effect for effect in effects if isinstance(effect, SessionAnswered)]) == 1


def test_a_challenged_bye_is_sent_again_with_credentials() -> None:
    core = new_core()
    core.add_account(account())
    session, invite = place(core, "sip:alice@pbx.example")
    _, invite = requests(respond(core, invite, 407, PROXY_CHALLENGE))
    record_route = ("Record-Route", "<sip:10.0.0.9;lr>")
    [ack] = requests(respond(core, invite, 200, record_route, CONTACT, body=ANSWER))
    assert ack.headers.get("Proxy-Authorization") == invite.headers.get("Proxy-Authorization")
    [bye] = requests(core.hang_up(session, 1.0))
    [again] = requests(respond(core, bye, 407, PROXY_CHALLENGE))
    assert (again.method, again.cseq.number) == ("BYE", 4)
    assert "Proxy-Authorization" in again.headers
    respond(core, again, 200)
    while (deadline := core.next_deadline()) is not None:
        core.on_timer(deadline)
    assert core.idle


def test_two_proxies_that_challenge_one_after_the_other_both_get_their_credentials() -> None:
    core = new_core()
    core.add_account(account())
    _, invite = place(core, "sip:alice@pbx.example")
    _, second = requests(respond(core, invite, 407, PROXY_CHALLENGE))
    other = ("Proxy-Authenticate", 'Digest realm="carrier", nonce="n2", algorithm=SHA-256')
    _, third = requests(respond(core, second, 407, other))
    realms = [value.partition('realm="')[2].partition('"')[0] for value in third.headers.get_all("Proxy-Authorization")]
    assert sorted(realms) == ["carrier", "pbx"]


@pytest.mark.parametrize("password", [None, "wrong"])
def test_credentials_refused_or_missing_end_the_call(password: str | None) -> None:
    core = new_core()
    core.add_account(account(password=password))
    _, invite = place(core, "sip:alice@pbx.example")
    effects = respond(core, invite, 407, PROXY_CHALLENGE)
    if password:
        again = requests(effects)[1]
        effects = respond(core, again, 407, ("Proxy-Authenticate", 'Digest realm="pbx", nonce="n2", qop="auth"'))
    [ended] = [effect for effect in effects if isinstance(effect, SessionEnded)]
    lacking = "A password is asked for there, and none is set for this call (407)."
    assert (ended.status, ended.reason) == (407, "Name or password was not accepted (407)." if password else lacking)
