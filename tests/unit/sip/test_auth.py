from __future__ import annotations

import hashlib
import random

import pytest

from voip_engine.sip.authentication.auth import Challenge, DigestClient, digest_response, parse_challenges
from voip_engine.sip.messages.grammar import split_outside_quotes, unquote
from voip_engine.sip.messages.headers import Headers


def fields(value: str) -> dict[str, str]:
    """Parameters of an Authorization value."""
    scheme, _, rest = value.partition(" ")
    assert scheme == "Digest"
    pairs = (piece.partition("=") for piece in split_outside_quotes(rest, ","))
    return {name: unquote(text) for name, _, text in pairs}


def client(username: str = "bob", password: str = "zanzibar") -> DigestClient:
    return DigestClient(username, password, random.Random(1))


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616_with_md5_and_sha_256(algorithm: str, response: str) -> None:
    challenge = Challenge(
        realm="http-auth@example.org",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        algorithm=algorithm,
        qop=("auth", "auth-int"),
    )
    assert response == digest_response(
        challenge,
        username="Mufasa",
        password="Circle of Life",
        method="GET",
        uri_text="/dir/index.html",
        body=b"",
        qop="auth",
        nonce_count=1,
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )


def test_the_example_of_rfc_7616_with_sha_512_256() -> None:
    # As erratum 4897 corrects it: the RFC's own value is of SHA-512 cut to 256 bits.
    challenge = Challenge(
        realm="api@example.org",
        nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        algorithm="SHA-512-256",
        qop=("auth",),
    )
    assert (
        digest_response(
            challenge,
            username="J\u00e4s\u00f8n Doe",
            password="Secret, or not?",
            method="GET",
            uri_text="/doe.json",
            body=b"",
            qop="auth",
            nonce_count=1,
            cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        )
        == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    )


def test_the_example_of_rfc_2617() -> None:
    challenge = Challenge(
        realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", qop=("auth", "auth-int")
    )
    assert (
        digest_response(
            challenge,
            username="Mufasa",
            password="Circle Of Life",
            method="GET",
            uri_text="/dir/index.html",
            body=b"",
            qop="auth",
            nonce_count=1,
            cnonce="0a4f113b",
        )
        == "6629fae49393a05397450978507c4ef1"
    )


def test_without_qop_as_rfc_2069_had_it() -> None:
    [challenge] = parse_challenges(Headers([("WWW-Authenticate", 'Digest realm="r", nonce="n"')]))
    [(name, value)] = client().authorize("REGISTER", "sip:example.com", b"", [challenge])
    assert name == "Authorization"
    assert fields(value) == {
        "username": "bob",
        "realm": "r",
        "nonce": "n",
        "uri": "sip:example.com",
        "response": md5(f"{md5('bob:r:zanzibar')}:n:{md5('REGISTER:sip:example.com')}"),
    }


def test_auth_int_covers_the_body() -> None:
    challenge = Challenge(realm="r", nonce="n", qop=("auth-int",))
    [(_, value)] = client().authorize("INVITE", "sip:x", b"v=0\r\n", [challenge])
    sent = fields(value)
    a2 = md5(f"INVITE:sip:x:{md5('v=0' + chr(13) + chr(10))}")
    assert sent["qop"] == "auth-int"
    assert sent["response"] == md5(f"{md5('bob:r:zanzibar')}:n:00000001:{sent['cnonce']}:auth-int:{a2}")


def test_sess_mixes_the_nonces_into_the_secret_and_keeps_them() -> None:
    bob = client()
    [challenge] = parse_challenges(
        Headers([("Proxy-Authenticate", 'Digest realm="r",nonce="n",algorithm=md5-Sess,qop="auth",opaque="o\\"p"')])
    )
    sent = [fields(bob.authorize("INVITE", "sip:x", b"", [challenge])[0][1]) for _ in range(2)]
    assert [each["nc"] for each in sent] == ["00000001", "00000002"]
    assert sent[0]["cnonce"] == sent[1]["cnonce"]
    assert sent[0]["algorithm"] == "MD5-sess"
    assert sent[0]["opaque"] == 'o"p'
    secret = md5(f"{md5('bob:r:zanzibar')}:n:{sent[1]['cnonce']}")
    assert sent[1]["response"] == md5(f"{secret}:n:00000002:{sent[1]['cnonce']}:auth:{md5('INVITE:sip:x')}")


def test_reads_several_challenges_of_both_kinds() -> None:
    headers = Headers(
        [
            ("WWW-Authenticate", 'Basic realm="b"'),
            ("WWW-Authenticate", 'Digest realm="a, \\"b\\"", nonce="n1", qop="auth,auth-int", stale=TRUE, x=y'),
            ("WWW-Authenticate", 'Digest realm="c",nonce="n2",algorithm=SHA-256, Digest realm="d",nonce="n3"'),
            ("Proxy-Authenticate", 'DIGEST NONCE="n4" , REALM="e", opaque=""'),
        ]
    )
    challenges = parse_challenges(headers)
    assert [(each.realm, each.nonce, each.proxy) for each in challenges] == [
        ('a, "b"', "n1", False),
        ("c", "n2", False),
        ("d", "n3", False),
        ("e", "n4", True),
    ]
    assert challenges[0].qop == ("auth", "auth-int")
    assert [each.stale for each in challenges] == [True, False, False, False]
    assert [each.algorithm for each in challenges] == ["MD5", "SHA-256", "MD5", "MD5"]
    assert [each.opaque for each in challenges] == [None, None, None, ""]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Digest",
        'Digest realm="r"',
        'Digest nonce="n"',
        'Digest realm="r", nonce=""',
        'Digest realm="r, nonce="n"',
        "NTLM abc==",
        ",,,=,",
    ],
)
def test_useless_challenges_are_passed_over(value: str) -> None:
    assert parse_challenges(Headers([("WWW-Authenticate", value)])) == []


def test_the_strongest_supported_algorithm_of_a_realm_is_taken() -> None:
    def offer(*algorithms: str) -> list[Challenge]:
        return [Challenge(realm="r", nonce=f"n{name}", algorithm=name, qop=("auth",)) for name in algorithms]

    def taken(*algorithms: str) -> list[str]:
        answers = client().authorize("INVITE", "sip:x", b"", offer(*algorithms))
        return [fields(value)["nonce"] for _, value in answers]

    assert taken("MD5", "SHA-256", "SHA-512-256") == ["nSHA-512-256"]
    assert taken("MD5", "SHA-256-sess", "AKAv1-MD5") == ["nSHA-256-sess"]
    assert taken("MD5") == ["nMD5"]
    assert taken("AKAv1-MD5") == []
    assert not client().may_retry(offer("AKAv1-MD5"))
    assert not client().may_retry([Challenge(realm="r", nonce="n", qop=("token",))])


def test_every_realm_and_proxy_gets_its_answer() -> None:
    challenges = [
        Challenge(realm="r", nonce="1", proxy=True),
        Challenge(realm="r", nonce="2"),
        Challenge(realm="s", nonce="3", proxy=True),
    ]
    answers = client().authorize("INVITE", "sip:x", b"", challenges)
    assert [name for name, _ in answers] == ["Proxy-Authorization", "Authorization", "Proxy-Authorization"]
    assert [fields(value)["nonce"] for _, value in answers] == ["1", "2", "3"]


def test_refused_credentials_are_not_tried_again() -> None:
    bob = client()
    first = [Challenge(realm="r", nonce="1")]
    assert bob.may_retry(first)
    bob.authorize("INVITE", "sip:x", b"", first)
    assert not bob.may_retry([Challenge(realm="r", nonce="2")])
    assert bob.may_retry([Challenge(realm="elsewhere", nonce="2")])
    assert bob.may_retry([Challenge(realm="r", nonce="2", proxy=True)])


def test_a_stale_nonce_is_replaced_but_not_for_ever() -> None:
    bob = client()
    bob.authorize("INVITE", "sip:x", b"", [Challenge(realm="r", nonce="0")])
    for number in range(1, 4):
        stale = [Challenge(realm="r", nonce=str(number), stale=True)]
        assert bob.may_retry(stale)
        bob.authorize("INVITE", "sip:x", b"", stale)
    assert not bob.may_retry([Challenge(realm="r", nonce="4", stale=True)])


def test_a_challenge_after_success_is_no_refusal() -> None:
    bob = client()
    remembered = [Challenge(realm="r", nonce="1", qop=("auth",))]
    bob.authorize("REGISTER", "sip:x", b"", remembered)
    bob.accepted()
    assert bob.may_retry([Challenge(realm="r", nonce="2", qop=("auth",))])
    # The remembered nonce is used ahead of being asked, and has become too old without being called stale.
    [(_, value)] = bob.authorize("REGISTER", "sip:x", b"", remembered)
    assert fields(value)["nc"] == "00000002"
    fresh = [Challenge(realm="r", nonce="2", qop=("auth",))]
    assert bob.may_retry(fresh)
    bob.authorize("REGISTER", "sip:x", b"", fresh)
    assert not bob.may_retry([Challenge(realm="r", nonce="3", qop=("auth",))])


def test_quotes_in_names_are_escaped() -> None:
    [(_, value)] = client('b"o\\b').authorize("INVITE", "sip:x", b"", [Challenge(realm='r"', nonce="n")])
    assert value.startswith('Digest username="b\\"o\\\\b", realm="r\\"", ')
    assert fields(value)["username"] == 'b"o\\b'
