from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from voip_engine.sdp.description import MalformedSdp, SessionDescription
from voip_engine.sdp.negotiation import LocalMedia, NotAcceptable, accept_answer, make_answer, make_offer
from voip_engine.sdp.plan import CODEC_PREFERENCE, CodecName, MediaDirection

SENDS = {"sendrecv", "sendonly"}
RECEIVES = {"sendrecv", "recvonly"}
RTPMAP = {"opus": "opus/48000/2", "G722": "G722/8000", "PCMA": "PCMA/8000", "PCMU": "PCMU/8000"}

directions: st.SearchStrategy[MediaDirection] = st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])
codec_lists = st.permutations(CODEC_PREFERENCE).flatmap(
    lambda codecs: st.integers(1, len(codecs)).map(lambda count: tuple(codecs[:count]))
)
line_like = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"v=0",
            b"o=- 1 1 IN IP4 192.0.2.1",
            b"s=-",
            b"c=IN IP4 192.0.2.1",
            b"c=IN IP6 ::1",
            b"c=IN IP4 0.0.0.0",
            b"c=IN IP4 pbx.example",
            b"t=0 0",
            b"m=audio 4000 RTP/AVP 0 8 96 97",
            b"m=audio 0 RTP/AVP 0",
            b"m=audio 65535 RTP/AVPF 96",
            b"m=video 4000 RTP/AVP 99",
            b"a=rtpmap:96 opus/48000/2",
            b"a=rtpmap:97 telephone-event/8000",
            b"a=rtpmap:0 x/0",
            b"a=rtcp:0",
            b"a=rtcp:1 IN IP4 x",
            b"a=sendonly",
            b"a=inactive",
            b"a=ptime:40",
            b"a=maxptime:99999999999999999999",
        ]
    ),
    st.tuples(st.sampled_from(b"vosctma"), st.binary(max_size=30)).map(lambda line: bytes([line[0]]) + b"=" + line[1]),
)
bodies = st.one_of(
    st.binary(max_size=300),
    st.lists(line_like, max_size=12).map(b"\r\n".join),
    st.lists(line_like, max_size=12).map(lambda lines: b"\n".join([b"v=0", b"o=- 1 1 IN IP4 192.0.2.1", *lines])),
)


@given(bodies)
def test_any_body_is_read_or_malformed_and_what_is_read_survives_writing(body: bytes) -> None:
    try:
        description = SessionDescription.parse(body)
    except MalformedSdp as error:
        assert str(error)
        return
    assert SessionDescription.parse(description.serialize()) == description


@given(bodies, bodies)
def test_any_description_is_answered_or_not_acceptable(offered: bytes, answered: bytes) -> None:
    local = LocalMedia("192.0.2.9", 40000, 1, 1)
    try:
        answer, plan = make_answer(SessionDescription.parse(offered), local)
        reoffer = make_offer(replace(local, session_version=2, direction="sendonly"), previous=answer)
        assert len(reoffer.media) == len(answer.media)
        assert len({section.formats for section in reoffer.media if section.port}) == 1
        assert plan.send in plan.receive
        accept_answer(reoffer, SessionDescription.parse(answered))
    except (MalformedSdp, NotAcceptable) as error:
        assert str(error)


@given(codec_lists, codec_lists, directions, directions)
def test_both_sides_of_our_own_negotiation_agree(
    asking: tuple[CodecName, ...],
    answering: tuple[CodecName, ...],
    asking_direction: MediaDirection,
    answering_direction: MediaDirection,
) -> None:
    caller = LocalMedia("192.0.2.1", 4000, 1, 1, codecs=asking, direction=asking_direction)
    callee = LocalMedia("192.0.2.2", 5000, 2, 1, codecs=answering, direction=answering_direction)
    offer = SessionDescription.parse(make_offer(caller).serialize())
    common = [codec for codec in answering if codec in asking]
    try:
        answer, callee_plan = make_answer(offer, callee)
    except NotAcceptable:
        assert not common
        return
    caller_plan = accept_answer(offer, SessionDescription.parse(answer.serialize()))
    assert callee_plan.send.codec == common[0]
    assert caller_plan.send == callee_plan.send
    assert caller_plan.send in callee_plan.receive
    assert callee_plan.send in caller_plan.receive
    assert caller_plan.telephone_event_send == callee_plan.telephone_event_receive
    assert callee_plan.telephone_event_send == caller_plan.telephone_event_receive
    assert (caller_plan.remote_rtp.port, callee_plan.remote_rtp.port) == (5000, 4000)
    assert (caller_plan.direction in SENDS) == (callee_plan.direction in RECEIVES)
    assert (callee_plan.direction in SENDS) == (caller_plan.direction in RECEIVES)
    assert (caller_plan.direction in SENDS) == (asking_direction in SENDS and answering_direction in RECEIVES)


@given(codec_lists, st.lists(st.integers(0, 127), min_size=4, max_size=4, unique=True))
def test_any_payload_numbers_of_a_peer_are_used_towards_it(codecs: tuple[CodecName, ...], numbers: list[int]) -> None:
    named = dict(zip(codecs, numbers, strict=False))
    rtpmaps = "".join(f"a=rtpmap:{number} {RTPMAP[codec]}\r\n" for codec, number in named.items())
    formats = " ".join(str(number) for number in named.values())
    peer = SessionDescription.parse(
        f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP {formats}\r\n{rtpmaps}".encode()
    )
    local = LocalMedia("192.0.2.9", 40000, 1, 1)
    offer = make_offer(local)
    _, answering_plan = make_answer(peer, local)
    asking_plan = accept_answer(offer, peer)
    preferred = next(codec for codec in CODEC_PREFERENCE if codec in named)
    assert (answering_plan.send.codec, answering_plan.send.number) == (preferred, named[preferred])
    assert (asking_plan.send.codec, asking_plan.send.number) == (codecs[0], named[codecs[0]])
    ours = {"opus": 96, "G722": 9, "PCMA": 8, "PCMU": 0}
    heard = {known.number: known.codec for known in asking_plan.receive}
    assert all(heard[ours[codec]] == codec for codec in codecs)
