"""The server's side of digest, against our own client's side."""

from __future__ import annotations

import tracemalloc
from random import Random

import pytest

from voip_engine.sip.authentication.auth import Challenge, DigestClient, digest_response, parse_challenges
from voip_engine.sip.authentication.digest_server import COUNT_WINDOW, NONCE_LIFE_S, DigestServer, Verdict
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.uri import SipUri

TARGET = "sip:desk@192.0.2.1"
HERE = "198.51.100.7"


def server(**options: int) -> DigestServer:
    return DigestServer({"branch": "secret"}, "voip-tui", Random(1), **options)


def challenges(digest: DigestServer, now: float, *, source: str = HERE, stale: bool = False) -> list[Challenge]:
    return parse_challenges(Headers(digest.challenge(source, now, stale=stale)))


def signed(
    offered: list[Challenge],
    *,
    user: str = "branch",
    password: str = "secret",
    client: DigestClient | None = None,
    uri: str = TARGET,
) -> Request:
    client = client or DigestClient(user, password, Random(2))
    return Request("INVITE", SipUri.parse(TARGET), Headers(client.authorize("INVITE", uri, b"", offered)))


def test_the_right_password_is_good():
    digest = server()
    offered = challenges(digest, 5.0)
    assert digest.check(signed(offered), HERE, 5.1) is Verdict.GOOD


@pytest.mark.parametrize(("user", "password"), [("branch", "wrong"), ("nobody", "secret"), ("", ""), ("branch", "")])
def test_who_is_no_user_or_has_another_password_is_bad(user, password):
    digest = server()
    assert digest.check(signed(challenges(digest, 5.0), user=user, password=password), HERE, 5.1) is Verdict.BAD


def test_credentials_are_for_one_request_uri():
    digest = server()
    assert digest.check(signed(challenges(digest, 5.0), uri="sip:other@192.0.2.1"), HERE, 5.1) is Verdict.BAD
    assert digest.check(signed(challenges(digest, 5.0), uri="sip:desk@192.0.2.1;user=phone"), HERE, 5.1) is Verdict.GOOD


def test_a_request_that_is_sent_again_by_somebody_else_is_not_good_twice():
    digest = server()
    request = signed(challenges(digest, 5.0))
    assert digest.check(request, HERE, 5.1) is Verdict.GOOD
    assert digest.check(request, HERE, 5.2) is Verdict.STALE
    assert digest.check(request, "203.0.113.9", 5.2) is Verdict.STALE


def test_a_nonce_serves_the_source_that_got_it_and_nobody_else():
    digest = server()
    request = signed(challenges(digest, 5.0))
    assert digest.check(request, "203.0.113.9", 5.1) is Verdict.STALE
    assert digest.check(request, HERE, 5.2) is Verdict.GOOD, "who stole it could not use it up, either"


def test_a_nonce_serves_many_requests_that_may_overtake_each_other():
    digest = server()
    offered = challenges(digest, 5.0)
    client = DigestClient("branch", "secret", Random(2))
    requests = [signed(offered, client=client) for _ in range(COUNT_WINDOW + 2)]
    assert digest.check(requests[3], HERE, 6.0) is Verdict.GOOD
    assert digest.check(requests[1], HERE, 6.0) is Verdict.GOOD
    assert digest.check(requests[1], HERE, 6.0) is Verdict.STALE
    assert digest.check(requests[-1], HERE, 6.0) is Verdict.GOOD
    assert digest.check(requests[2], HERE, 6.0) is Verdict.GOOD, "just within the window"
    assert digest.check(requests[0], HERE, 6.0) is Verdict.STALE, "too far behind to tell"


def test_a_nonce_ends_with_its_time_and_the_client_is_told_so():
    digest = server()
    client = DigestClient("branch", "secret", Random(2))
    late = signed(challenges(digest, 5.0), client=client)
    assert digest.check(late, HERE, 5.0 + NONCE_LIFE_S + 1) is Verdict.STALE
    again = challenges(digest, 130.0, stale=True)
    assert all(each.stale for each in again)
    assert client.may_retry(again)
    assert digest.check(signed(again, client=client), HERE, 130.1) is Verdict.GOOD


def test_a_nonce_that_is_not_ours_is_stale_whatever_the_password():
    digest, other = server(), DigestServer({"branch": "secret"}, "voip-tui", Random(9))
    for password in ("secret", "wrong"):
        assert digest.check(signed(challenges(other, 5.0), password=password), HERE, 5.1) is Verdict.STALE
    made_up = [Challenge("voip-tui", "AAAA", qop=("auth",)), Challenge("voip-tui", "é", qop=("auth",))]
    for challenge in made_up:
        assert digest.check(signed([challenge]), HERE, 5.1) is Verdict.STALE


def test_nonces_that_were_forgotten_cannot_be_used_again():
    digest = server(nonces=10)
    first = signed(challenges(digest, 1.0))
    assert digest.check(first, HERE, 1.0) is Verdict.GOOD
    unused = signed(challenges(digest, 0.5))
    for number in range(20):
        assert digest.check(signed(challenges(digest, 2.0 + number)), HERE, 2.0 + number) is Verdict.GOOD
    assert digest.check(first, HERE, 23.0) is Verdict.STALE
    assert digest.check(unused, HERE, 23.0) is Verdict.STALE
    assert digest.check(signed(challenges(digest, 23.0)), HERE, 23.0) is Verdict.GOOD


@pytest.mark.parametrize(
    ("field", "verdict"),
    [
        ("", Verdict.ABSENT),
        ("Basic YnJhbmNoOnNlY3JldA==", Verdict.ABSENT),
        ('Digest realm="elsewhere", nonce="x"', Verdict.ABSENT),
        ('Digest realm="voip-tui"', Verdict.STALE),
        ('Digest realm="voip-tui", nonce="x", qop=none, nc=0', Verdict.STALE),
        ('Digest realm="voip-tui, nonce="', Verdict.ABSENT),
    ],
)
def test_what_is_no_answer_to_our_challenge(field, verdict):
    request = Request("INVITE", SipUri.parse(TARGET), Headers([("Authorization", field)] if field else []))
    assert server().check(request, HERE, 5.0) is verdict


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("qop=auth", "qop=auth-int"),
        ("qop=auth, ", ""),
        ("nc=00000001", "nc=00000000"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("algorithm=MD5", "algorithm=SHA-256"),
        ('username="branch"', 'username="branch", username="root"'),
    ],
)
def test_altered_credentials_are_refused(before, after):
    digest = server()
    request = signed(challenges(digest, 5.0))
    field = request.headers.get("Authorization")
    assert field is not None
    assert before in field
    request.headers.set("Authorization", field.replace(before, after))
    assert digest.check(request, HERE, 5.1) is not Verdict.GOOD


def test_a_leap_to_the_highest_count_and_back_costs_no_memory():
    digest = server()
    offered = challenges(digest, 5.0)
    client = DigestClient("branch", "secret", Random(2))
    assert digest.check(signed(offered, client=client), HERE, 5.1) is Verdict.GOOD
    leaping = signed(offered)
    credentials = leaping.headers.get("Authorization") or ""
    given = {
        key.strip(): text.strip('"') for key, _, text in (pair.partition("=") for pair in credentials[7:].split(","))
    }
    response = digest_response(
        offered[0],
        username="branch",
        password="secret",
        method="INVITE",
        uri_text=TARGET,
        body=b"",
        qop="auth",
        nonce_count=0xFFFFFFFF,
        cnonce=given["cnonce"],
    )
    leaping.headers.set(
        "Authorization",
        credentials.replace(given["response"], response).replace("nc=00000001", "nc=ffffffff"),
    )
    tracemalloc.start()
    try:
        assert digest.check(leaping, HERE, 5.2) is Verdict.GOOD
        assert digest.check(signed(offered, client=client), HERE, 5.3) is Verdict.STALE
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
