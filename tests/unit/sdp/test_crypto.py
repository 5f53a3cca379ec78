"""Keys in descriptions: what is offered, answered and taken under each policy."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace

import msgspec
import pytest

from voip_engine.sdp.crypto import KEY_BYTES, CryptoLine, SrtpKeys, crypto_lines
from voip_engine.sdp.description import Attribute, SessionDescription
from voip_engine.sdp.negotiation import LocalMedia, NotAcceptable, accept_answer, make_answer, make_offer
from voip_engine.sdp.plan import MediaPlan, SrtpPlan, SrtpPolicy

KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
"""The key of the examples in RFC 4568."""
OTHER = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"
LINE = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"


def local(policy: SrtpPolicy, seed: int = 1) -> LocalMedia:
    counter = iter(range(seed, 255))
    keys = SrtpKeys(lambda length: bytes([next(counter)]) * length)
    return LocalMedia("192.0.2.9", 40000, 7, 1, srtp=policy, keys=keys if policy != "off" else None)


def sdp(*media: str) -> SessionDescription:
    head = "v=0|o=peer 1 1 IN IP4 192.0.2.1|s=-|c=IN IP4 192.0.2.1|t=0 0|"
    return SessionDescription.parse((head + "|".join(media)).replace("|", "\r\n").encode())


def audio(protocol: str, *lines: str) -> SessionDescription:
    return SessionDescription.parse(
        "\r\n".join(
            [
                "v=0",
                "o=p 1 1 IN IP4 192.0.2.1",
                "s=-",
                "c=IN IP4 192.0.2.1",
                "t=0 0",
                f"m=audio 4000 {protocol} 0",
                *lines,
            ]
        ).encode()
    )


@pytest.mark.parametrize(
    ("value", "mki"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", b""),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20", b""),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1048576|1:4", b"\0\0\0\1"),
        (f"1 aes_cm_128_hmac_sha1_80  INLINE:{KEY}|7:1", b"\7"),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} WSH=128 -UNHEARD_OF=1", b""),
    ],
)
def test_lines_that_can_be_used(value: str, mki: bytes) -> None:
    line = CryptoLine.parse(value)
    assert line is not None
    assert (line.tag, line.suite, line.key, line.mki) == (1, "AES_CM_128_HMAC_SHA1_80", b64decode(KEY), mki)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        f"1 AES_CM_128_HMAC_SHA1_80 {KEY}",
        f"x AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}",
        "1 AES_CM_128_HMAC_SHA1_80 inline:short",
        "1 AES_CM_128_HMAC_SHA1_80 inline:ö" + KEY[1:],
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{OTHER}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4|5",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|256:1",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:129",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|never",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1",
    ],
)
def test_lines_that_cannot(value: str) -> None:
    assert CryptoLine.parse(value) is None


def test_both_spellings_of_aes_256_are_known_and_the_answer_keeps_the_offers() -> None:
    long_key = "A" * 61 + "A=="
    for name in ("AES_256_CM_HMAC_SHA1_80", "AES_CM_256_HMAC_SHA1_80"):
        answer, plan = make_answer(audio("RTP/SAVP", f"a=crypto:4 {name} inline:{long_key}"), local("offered"))
        assert plan.srtp is not None
        assert plan.srtp.suite == "AES_256_CM_HMAC_SHA1_80"
        assert (answer.media[0].attribute("crypto") or "").startswith(f"4 {name} inline:")


def test_an_offer_has_a_key_for_each_suite() -> None:
    best_effort = make_offer(local("offered")).media[0]
    lines = crypto_lines(best_effort)
    assert best_effort.protocol == "RTP/AVP"
    assert [line.suite for line in lines] == list(KEY_BYTES)
    assert [line.tag for line in lines] == [1, 2, 3]
    assert len({line.key for line in lines}) == 3
    assert make_offer(local("required")).media[0].protocol == "RTP/SAVP"
    plain = make_offer(local("off")).media[0]
    assert (plain.protocol, crypto_lines(plain)) == ("RTP/AVP", ())


@pytest.mark.parametrize(
    ("policy", "protocol", "line", "encrypted"),
    [
        ("off", "RTP/AVP", "", False),
        ("off", "RTP/AVP", LINE, False),
        ("off", "RTP/SAVP", LINE, None),
        ("offered", "RTP/AVP", "", False),
        ("offered", "RTP/AVP", LINE, True),
        ("offered", "RTP/SAVP", LINE, True),
        ("offered", "RTP/SAVPF", LINE, True),
        ("offered", "RTP/SAVP", "", None),
        ("required", "RTP/AVP", "", None),
        ("required", "RTP/AVP", LINE, True),
        ("required", "RTP/SAVP", LINE, True),
        ("required", "RTP/SAVP", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:x", None),
    ],
)
def test_offers_are_answered_by_policy(policy: SrtpPolicy, protocol: str, line: str, encrypted: bool | None) -> None:
    offer = audio(protocol, *([line] if line else []))
    if encrypted is None:
        with pytest.raises(NotAcceptable, match="encrypted"):
            make_answer(offer, local(policy))
        return
    answer, plan = make_answer(offer, local(policy))
    assert answer.media[0].protocol == protocol
    assert (plan.srtp is not None) is encrypted
    if plan.srtp is not None:
        ours = crypto_lines(answer.media[0])
        assert [(one.tag, one.suite, one.key) for one in ours] == [(1, plan.srtp.suite, plan.srtp.send_key)]
        assert plan.srtp.receive_key == b64decode(KEY)


@pytest.mark.parametrize(
    ("policy", "protocol", "line", "encrypted"),
    [
        ("off", "RTP/AVP", "", False),
        ("off", "RTP/AVP", LINE, False),
        ("offered", "RTP/AVP", "", False),
        ("offered", "RTP/AVP", LINE, True),
        ("offered", "RTP/SAVP", LINE, True),
        ("offered", "RTP/SAVP", "", None),
        ("offered", "RTP/AVP", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:x", None),
        ("required", "RTP/SAVP", LINE, True),
        ("required", "RTP/SAVP", "", None),
        ("required", "RTP/AVP", "", None),
    ],
)
def test_answers_are_taken_by_what_was_offered(
    policy: SrtpPolicy, protocol: str, line: str, encrypted: bool | None
) -> None:
    offer, answer = make_offer(local(policy)), audio(protocol, *([line] if line else []))
    if encrypted is None:
        with pytest.raises(NotAcceptable, match="key"):
            accept_answer(offer, answer)
        return
    plan = accept_answer(offer, answer)
    assert (plan.srtp is not None) is encrypted
    if plan.srtp is not None:
        assert plan.srtp.send_key == crypto_lines(offer.media[0])[0].key
        assert plan.srtp.receive_key == b64decode(KEY)


@pytest.mark.parametrize("policy", ["offered", "required"])
def test_a_reoffer_as_plain_rtp_with_keys_is_answered_in_the_clear_only_where_that_may_be(policy: SrtpPolicy) -> None:
    """The peer's own offer was RTP/AVP with a key, so that every description of ours is one, too."""
    described, plan = make_answer(audio("RTP/AVP", LINE), local(policy))
    assert plan.srtp is not None
    reoffer = make_offer(local(policy), previous=described)
    assert accept_answer(reoffer, audio("RTP/AVP", LINE), policy).srtp == plan.srtp
    if policy == "offered":
        assert accept_answer(reoffer, audio("RTP/AVP"), policy).srtp is None
        return
    for lines in ((), ("a=crypto:1 F8_128_HMAC_SHA1_80 inline:x",)):
        with pytest.raises(NotAcceptable, match="key"):
            accept_answer(reoffer, audio("RTP/AVP", *lines), policy)


def test_our_own_key_thrown_back_is_refused() -> None:
    offer = make_offer(local("offered"))
    echoed = crypto_lines(offer.media[0])[0].serialize()
    with pytest.raises(NotAcceptable, match="no usable key"):
        accept_answer(offer, audio("RTP/AVP", f"a={echoed}"))


def test_of_an_encrypted_and_a_plain_section_the_policy_chooses() -> None:
    sections = (f"m=audio 4000 RTP/SAVP 0|{LINE}", "m=audio 4002 RTP/AVP 0")
    for policy, ports in (("off", [0, 40000]), ("offered", [40000, 0]), ("required", [40000, 0])):
        answer, plan = make_answer(sdp(*sections), local(policy))
        assert [section.port for section in answer.media] == ports
        the_other_way, same = make_answer(sdp(*reversed(sections)), local(policy))
        assert [section.port for section in the_other_way.media] == ports[::-1]
        assert same == plan
        assert (plan.srtp is not None) is (policy != "off")


@pytest.mark.parametrize("policy", ["offered", "required"])
def test_keys_stay_over_reoffers_from_either_side(policy: SrtpPolicy) -> None:
    ours, theirs = local(policy), local(policy, seed=100)
    offer = make_offer(ours)
    answer, at_them = make_answer(offer, theirs)
    at_us = accept_answer(offer, answer)
    assert_mirrored(at_us, at_them)
    for hold in ("sendonly", "sendrecv"):
        offer = make_offer(replace(ours, direction=hold, session_version=2), previous=offer)
        answer, again = make_answer(offer, theirs)
        assert accept_answer(offer, answer).srtp == at_us.srtp
        assert again.srtp == at_them.srtp
    back = make_offer(replace(theirs, session_version=2), previous=answer)
    returned, at_us_again = make_answer(back, ours)
    assert at_us_again.srtp == at_us.srtp
    assert accept_answer(back, returned).srtp == at_them.srtp


def assert_mirrored(one: MediaPlan, other: MediaPlan) -> None:
    assert one.srtp is not None
    assert other.srtp is not None
    assert one.srtp.suite == other.srtp.suite
    assert (one.srtp.send_key, one.srtp.receive_key) == (other.srtp.receive_key, other.srtp.send_key)


def test_no_key_is_shown_anywhere() -> None:
    answer, plan = make_answer(audio("RTP/SAVP", LINE), local("offered"))
    assert plan.srtp is not None
    shown = repr((plan, answer, audio("RTP/SAVP", LINE), CryptoLine.parse(LINE[9:]), local("offered")))
    shown += repr(Attribute("Crypto", LINE)) + repr(plan.srtp.__rich_repr__())
    for key in (plan.srtp.send_key, plan.srtp.receive_key):
        assert repr(key)[2:-1] not in shown
    assert "inline" not in shown
    with pytest.raises(NotAcceptable) as refused:
        make_answer(audio("RTP/SAVP", f"a=crypto:1 F8 inline:{KEY}"), local("offered"))
    assert KEY not in str(refused.value)


def test_a_plan_crosses_the_pipe_with_its_keys() -> None:
    plan = SrtpPlan("AES_CM_128_HMAC_SHA1_32", b"a" * 30, b"b" * 30, b"\1")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plan), type=SrtpPlan) == plan
