from __future__ import annotations

from dataclasses import replace

import pytest

from voip_engine.sdp.description import SessionDescription
from voip_engine.sdp.negotiation import LocalMedia, NotAcceptable, accept_answer, make_answer, make_offer
from voip_engine.sdp.plan import CodecName, HostPort, MediaDirection, MediaPlan, PayloadType

LOCAL = LocalMedia(host="192.0.2.9", port=40000, session_id=7, session_version=1)


def sdp(*media: str, connection: str = "IN IP4 192.0.2.1", session: str = "") -> SessionDescription:
    """A peer's description with the media lines given, `|` standing for a line's end."""
    head = f"v=0|o=peer 1 1 IN IP4 192.0.2.1|s=-|{f'c={connection}|' if connection else ''}t=0 0|{session}"
    return SessionDescription.parse((head + "|".join(media)).replace("|", "\r\n").encode())


def answer_to(*media: str, local: LocalMedia = LOCAL, connection: str = "IN IP4 192.0.2.1") -> MediaPlan:
    return make_answer(sdp(*media, connection=connection), local)[1]


# ---- offers ----


def test_an_offer_names_all_codecs_in_our_order() -> None:
    assert make_offer(LOCAL).serialize().decode().split("\r\n") == [
        "v=0",
        "o=- 7 1 IN IP4 192.0.2.9",
        "s=-",
        "c=IN IP4 192.0.2.9",
        "t=0 0",
        "m=audio 40000 RTP/AVP 96 9 8 0 100 101",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:100 telephone-event/48000",
        "a=fmtp:100 0-15",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "a=rtcp-mux",
        "",
    ]


def test_an_offer_over_ipv6_says_so() -> None:
    data = make_offer(LocalMedia("2001:db8::9", 40000, 7, 1)).serialize()
    assert b"o=- 7 1 IN IP6 2001:db8::9\r\n" in data
    assert b"c=IN IP6 2001:db8::9\r\n" in data


def test_a_reoffer_keeps_places_and_numbers() -> None:
    offer = sdp(
        "m=video 5000 RTP/AVP 99",
        "m=audio 4000 RTP/AVP 0 120 121|a=rtpmap:120 opus/48000/2|a=rtpmap:121 telephone-event/48000",
    )
    answer, _ = make_answer(offer, LOCAL)
    reoffer = make_offer(replace(LOCAL, session_version=2, direction="sendonly"), previous=answer)
    assert reoffer.origin.session_id == "7"
    assert reoffer.origin.session_version == "2"
    assert [(media.kind, media.port) for media in reoffer.media] == [("video", 0), ("audio", 40000)]
    assert reoffer.media[1].formats == ("120", "9", "8", "0", "121", "101")
    assert "sendonly" in [attribute.name for attribute in reoffer.media[1].attributes]


def test_a_reoffer_gives_no_number_a_second_meaning() -> None:
    answer, _ = make_answer(sdp("m=audio 4000 RTP/AVP 96|a=rtpmap:96 PCMU/8000"), LOCAL)
    audio = make_offer(replace(LOCAL, session_version=2), previous=answer).media[0]
    assert "96 PCMU/8000" in [attribute.value for attribute in audio.attributes]
    assert [attribute.value for attribute in audio.attributes if "opus" in (attribute.value or "")] == [
        "97 opus/48000/2"
    ]


# ---- answers ----


@pytest.mark.parametrize(
    ("formats", "chosen"),
    [
        ("0 8 9 111|a=rtpmap:111 opus/48000/2", PayloadType(111, "opus", 48000)),
        ("0 8 9", PayloadType(9, "G722", 8000)),
        ("0 8", PayloadType(8, "PCMA", 8000)),
        ("18 0 3", PayloadType(0, "PCMU", 8000)),
        ("97|a=rtpmap:97 pcmu/8000/1", PayloadType(97, "PCMU", 8000)),
        ("0|a=rtpmap:0 pcmu/8000", PayloadType(0, "PCMU", 8000)),
        ("96 0|a=rtpmap:96 OPUS/48000", PayloadType(96, "opus", 48000)),
        ("96 0|a=rtpmap:96 opus/16000/2", PayloadType(0, "PCMU", 8000)),
        ("9 0|a=rtpmap:9 G722/16000", PayloadType(0, "PCMU", 8000)),
        ("96 8|a=rtpmap:96", PayloadType(8, "PCMA", 8000)),
        ("8 0|a=rtpmap:8 L16/8000", PayloadType(0, "PCMU", 8000)),
    ],
)
def test_an_answer_takes_our_first_choice_under_the_offers_number(formats: str, chosen: PayloadType) -> None:
    answer, plan = make_answer(sdp(f"m=audio 4000 RTP/AVP {formats}"), LOCAL)
    assert plan.send == chosen
    assert plan.receive == (chosen,)
    assert answer.media[0].formats[0] == str(chosen.number)
    assert plan.remote_rtp == HostPort("192.0.2.1", 4000)
    assert plan.remote_rtcp == HostPort("192.0.2.1", 4001)


def test_only_the_codecs_that_are_switched_on_count() -> None:
    codecs: tuple[CodecName, ...] = ("PCMU", "PCMA")
    local = LocalMedia("192.0.2.9", 40000, 7, 1, codecs=codecs)
    assert answer_to("m=audio 4000 RTP/AVP 9 8 0", local=local).send.codec == "PCMU"
    with pytest.raises(NotAcceptable, match="PCMU, PCMA"):
        answer_to("m=audio 4000 RTP/AVP 9", local=local)


def test_opus_is_answered_with_its_channels_and_fec() -> None:
    answer, _ = make_answer(sdp("m=audio 4000 RTP/AVP 107|a=rtpmap:107 opus/48000/2"), LOCAL)
    values = [str(attribute) for attribute in answer.media[0].attributes]
    assert values == ["rtpmap:107 opus/48000/2", "fmtp:107 useinbandfec=1", "ptime:20", "sendrecv"]


def test_every_other_media_section_is_refused_in_its_place() -> None:
    answer, plan = make_answer(
        sdp(
            "m=video 5000 RTP/AVP 99|a=rtpmap:99 VP8/90000",
            "m=audio 4000 RTP/SAVP 0",
            "m=audio 4002 RTP/AVP 18",
            "m=audio 4004 RTP/AVPF 8",
            "m=audio 4006 RTP/AVP 0",
            "m=image 4008 udptl t38",
        ),
        LOCAL,
    )
    assert [(media.kind, media.port, media.protocol, media.formats) for media in answer.media] == [
        ("video", 0, "RTP/AVP", ("99",)),
        ("audio", 0, "RTP/SAVP", ("0",)),
        ("audio", 0, "RTP/AVP", ("18",)),
        ("audio", 40000, "RTP/AVPF", ("8",)),
        ("audio", 0, "RTP/AVP", ("0",)),
        ("image", 0, "udptl", ("t38",)),
    ]
    assert plan.remote_rtp.port == 4004


@pytest.mark.parametrize(
    ("formats", "number", "clock_hz"),
    [
        ("0 101|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-16", 101, 8000),
        (
            "96 97 98|a=rtpmap:96 opus/48000/2|a=rtpmap:97 telephone-event/8000|a=rtpmap:98 telephone-event/48000",
            98,
            48000,
        ),
        ("96 97|a=rtpmap:96 opus/48000/2|a=rtpmap:97 telephone-event/8000", 97, 8000),
        ("0 98|a=rtpmap:98 telephone-event/48000", None, 8000),
        ("0", None, 8000),
    ],
)
def test_telephone_events_go_with_the_codecs_clock(formats: str, number: int | None, clock_hz: int) -> None:
    answer, plan = make_answer(sdp(f"m=audio 4000 RTP/AVP {formats}"), LOCAL)
    assert (plan.telephone_event_send, plan.telephone_event_receive) == (number, number)
    assert plan.telephone_event_clock_hz == clock_hz
    assert answer.media[0].formats[1:] == (() if number is None else (str(number),))


@pytest.mark.parametrize(
    ("lines", "packet_ms"),
    [
        ("", 20),
        ("|a=ptime:40", 40),
        ("|a=ptime:60", 60),
        ("|a=ptime:30", 20),
        ("|a=ptime:80", 20),
        ("|a=ptime:10", 20),
        ("|a=ptime:60|a=maxptime:40", 40),
        ("|a=ptime:60|a=maxptime:50", 20),
        ("|a=maxptime:150", 20),
        ("|a=ptime:soon", 20),
        ("|a=ptime:0", 20),
    ],
)
def test_packets_are_as_long_as_the_peer_wants_them_in_whole_frames(lines: str, packet_ms: int) -> None:
    assert answer_to(f"m=audio 4000 RTP/AVP 0{lines}").packet_ms == packet_ms


def test_rtcp_shares_the_port_where_both_sides_say_so() -> None:
    asked = sdp("m=audio 4000 RTP/AVP 0|a=rtcp:4007|a=rtcp-mux")
    answer, plan = make_answer(asked, LOCAL)
    assert (plan.rtcp_mux, plan.remote_rtcp) == (True, HostPort("192.0.2.1", 4000))
    assert b"a=rtcp-mux\r\n" in answer.serialize()
    refused, plan = make_answer(sdp("m=audio 4000 RTP/AVP 0"), LOCAL)
    assert (plan.rtcp_mux, plan.remote_rtcp) == (False, HostPort("192.0.2.1", 4001))
    assert b"rtcp-mux" not in refused.serialize()
    assert accept_answer(make_offer(LOCAL), sdp("m=audio 4000 RTP/AVP 0|a=rtcp-mux")).rtcp_mux
    assert not accept_answer(make_offer(LOCAL), sdp("m=audio 4000 RTP/AVP 0")).rtcp_mux


def test_rtcp_ports_that_are_not_one_above_are_named() -> None:
    assert b"a=rtcp:50123\r\n" in make_offer(replace(LOCAL, rtcp_port=50123)).serialize()


@pytest.mark.parametrize(
    ("rtcp", "expected"),
    [
        ("a=rtcp:53020", HostPort("192.0.2.1", 53020)),
        ("a=rtcp:53020 IN IP4 192.0.2.77", HostPort("192.0.2.77", 53020)),
        ("a=rtcp:53020 IN IP6 2001:db8::1", HostPort("192.0.2.1", 53020)),
        ("a=rtcp:none", HostPort("192.0.2.1", 4001)),
    ],
)
def test_rtcp_goes_where_the_peer_wants_it(rtcp: str, expected: HostPort) -> None:
    assert answer_to(f"m=audio 4000 RTP/AVP 0|{rtcp}").remote_rtcp == expected


def test_an_offer_over_ipv6_is_answered_over_ipv6() -> None:
    local = LocalMedia("2001:db8::9", 40000, 7, 1)
    plan = answer_to("m=audio 4000 RTP/AVP 0", local=local, connection="IN IP6 2001:db8::1")
    assert plan.remote_rtp == HostPort("2001:db8::1", 4000)


# ---- direction ----


@pytest.mark.parametrize(
    ("offered", "ours", "agreed"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "sendonly", "sendonly"),
        ("sendrecv", "inactive", "inactive"),
    ],
)
def test_directions_are_mirrored_and_limited_by_our_own(
    offered: str, ours: MediaDirection, agreed: MediaDirection
) -> None:
    local = replace(LOCAL, direction=ours)
    answer, plan = make_answer(sdp(f"m=audio 4000 RTP/AVP 0|a={offered}"), local)
    assert plan.direction == agreed
    assert answer.media[0].attributes[-1].name == agreed


def test_a_direction_at_session_level_counts_for_the_section() -> None:
    _, plan = make_answer(sdp("m=audio 4000 RTP/AVP 0", session="a=sendonly|"), LOCAL)
    assert plan.direction == "recvonly"


@pytest.mark.parametrize(
    ("offered", "agreed"), [("sendrecv", "recvonly"), ("recvonly", "inactive"), ("inactive", "inactive")]
)
def test_the_old_hold_address_keeps_us_from_sending(offered: str, agreed: MediaDirection) -> None:
    plan = answer_to(f"m=audio 4000 RTP/AVP 0|a={offered}", connection="IN IP4 0.0.0.0")
    assert plan.direction == agreed


# ---- reading answers ----


def test_we_send_with_the_answers_number_and_hear_our_own_and_theirs() -> None:
    plan = accept_answer(make_offer(LOCAL), sdp("m=audio 4000 RTP/AVP 120 0|a=rtpmap:120 opus/48000/2|a=ptime:40"))
    assert plan.send == PayloadType(120, "opus", 48000)
    assert plan.receive == (
        PayloadType(96, "opus", 48000),
        PayloadType(0, "PCMU", 8000),
        PayloadType(120, "opus", 48000),
    )
    assert plan.packet_ms == 40
    assert plan.remote_rtp == HostPort("192.0.2.1", 4000)


def test_a_number_that_means_something_else_in_our_offer_is_not_heard_as_theirs() -> None:
    plan = accept_answer(make_offer(LOCAL), sdp("m=audio 4000 RTP/AVP 101|a=rtpmap:101 opus/48000/2"))
    assert plan.send.number == 101
    assert [known.number for known in plan.receive] == [96]


def test_telephone_events_of_an_answer_have_a_number_each_way() -> None:
    answer = sdp("m=audio 4000 RTP/AVP 96 99|a=rtpmap:96 opus/48000/2|a=rtpmap:99 telephone-event/8000")
    plan = accept_answer(make_offer(LOCAL), answer)
    assert (plan.telephone_event_send, plan.telephone_event_receive) == (99, 101)
    assert plan.telephone_event_clock_hz == 8000


def test_the_answers_order_of_preference_counts() -> None:
    assert accept_answer(make_offer(LOCAL), sdp("m=audio 4000 RTP/AVP 18 0 8 9")).send.codec == "PCMU"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (sdp(), "no audio"),
        (sdp("m=video 4000 RTP/AVP 99"), "no audio"),
        (sdp("m=audio 0 RTP/AVP 0"), "switched off"),
        (sdp("m=audio 4000 RTP/SAVP 0"), "encrypted"),
        (sdp("m=audio 4000 RTP/AVP 18"), "none of the codecs"),
        (sdp("m=audio 4000 RTP/AVP 0", connection=""), "no address"),
    ],
)
def test_an_answer_without_usable_audio_is_not_acceptable(answer: SessionDescription, words: str) -> None:
    with pytest.raises(NotAcceptable, match=words):
        accept_answer(make_offer(LOCAL), answer)


# ---- offers that nothing can be made of ----


@pytest.mark.parametrize(
    ("media", "connection", "words"),
    [
        ([], "IN IP4 192.0.2.1", "no media"),
        (["m=video 4000 RTP/AVP 99"], "IN IP4 192.0.2.1", "no audio"),
        (["m=audio 0 RTP/AVP 0"], "IN IP4 192.0.2.1", "switched off"),
        (["m=video 4000 RTP/AVP 99", "m=audio 4000 RTP/AVP 18"], "IN IP4 192.0.2.1", "none of our codecs"),
        (["m=audio 4000 RTP/SAVP 0"], "IN IP4 192.0.2.1", "encrypted audio only"),
        (["m=audio 4000 UDP/TLS/RTP/SAVPF 0"], "IN IP4 192.0.2.1", "encrypted audio by DTLS"),
        (["m=audio 4000 TCP/MRCPv2 0"], "IN IP4 192.0.2.1", "unknown protocol"),
        (["m=audio 4000 RTP/AVP"], "IN IP4 192.0.2.1", "none of our codecs"),
        (["m=audio 4000 RTP/AVP 200 -1 x"], "IN IP4 192.0.2.1", "none of our codecs"),
        (["m=audio 4000 RTP/AVP 0"], "", "no address"),
        (["m=audio 4000 RTP/AVP 0"], "IN IP4 media.example", "host name"),
        (["m=audio 4000 RTP/AVP 0"], "IN IP4 224.2.1.1/127", "multicast"),
        (["m=audio 4000 RTP/AVP 0"], "IN IP6 2001:db8::1", "IPv6"),
    ],
)
def test_an_offer_without_usable_audio_is_not_acceptable(media: list[str], connection: str, words: str) -> None:
    with pytest.raises(NotAcceptable, match=words):
        answer_to(*media, connection=connection)
