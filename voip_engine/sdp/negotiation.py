"""Offer and answer (RFC 3264): two descriptions in, one MediaPlan out.

    we call     make_offer ──► offer ──► peer ──► answer ──► accept_answer ──► MediaPlan
    we answer   peer ──► offer ──► make_answer ──► answer + MediaPlan

One audio stream a call. Our answers name one codec, so that both sides know which one is spoken; other media sections
are refused with port 0 in the order they came.

Encryption by keys in the description (RFC 4568) follows a policy: `off` offers and takes plain RTP only; `offered` offers
both, as RTP/AVP with keys beside it, which phones without encryption read over, and takes RTP/SAVP first; `required` knows
RTP/SAVP alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from voip_engine.hosts import literal
from voip_engine.sdp.crypto import CryptoLine, SrtpKeys, answering_line, crypto_lines, offered_lines
from voip_engine.sdp.description import Attribute, MediaDescription, Origin, SessionDescription, parse_number
from voip_engine.sdp.formats import (
    AudioFormats,
    TelephoneEvents,
    common_events,
    format_attributes,
    format_numbers,
    offer_formats,
)
from voip_engine.sdp.plan import (
    CODEC_PREFERENCE,
    CodecName,
    HostPort,
    MediaDirection,
    MediaPlan,
    PayloadType,
    SrtpPlan,
    SrtpPolicy,
)

_PLAIN_PROTOCOLS = ("RTP/AVP", "RTP/AVPF")
"""AVPF without rtcp-fb lines is AVP under another name (RFC 4585 §4), and softphones offer it."""
_ENCRYPTED_PROTOCOLS = ("RTP/SAVP", "RTP/SAVPF")

_SENDS: tuple[MediaDirection, ...] = ("sendrecv", "sendonly")
_RECEIVES: tuple[MediaDirection, ...] = ("sendrecv", "recvonly")
_PACKET_MS = (20, 40, 60)
_LARGEST_PACKET_MS = 10_000


class NotAcceptable(ValueError):
    """An offer or answer that leaves no audio we can carry: a 488. The text says why in plain words."""


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """Our side of a negotiation. `host` is the literal address, `port` the RTP port that the peer shall send to.

    `session_version` must grow with every further description of the same session (RFC 3264 §8).
    """

    host: str
    port: int
    session_id: int
    session_version: int
    codecs: tuple[CodecName, ...] = CODEC_PREFERENCE
    direction: MediaDirection = "sendrecv"
    packet_ms: int = 20
    srtp: SrtpPolicy = "off"
    keys: SrtpKeys | None = None
    """Needed unless `srtp` is off; the same ones as long as the session lives."""
    rtcp_port: int | None = None
    """Where RTCP is to go, if not to the port above (RFC 3605)."""


def make_offer(local: LocalMedia, previous: SessionDescription | None = None) -> SessionDescription:
    """Offer all our codecs in order of preference (RFC 3264 §5).

    `previous` is the last description that we sent in this session, if this is a re-offer: media sections keep their
    places and payload types their numbers (RFC 3264 §8).
    """
    sections = previous.media if previous else ()
    ours = _first_open_audio(sections)
    known = AudioFormats.of(sections[ours]) if ours is not None else AudioFormats((), {})
    taken = (parse_number(text, 127) for text in sections[ours].formats) if ours is not None else ()
    formats = offer_formats(local.codecs, known, (number for number in taken if number is not None))
    if ours is not None:
        # The keys stay as they are: what does not change keeps its packet counters (RFC 4568 §7.1.4).
        protocol, crypto = sections[ours].protocol, crypto_lines(sections[ours])
    else:
        protocol = "RTP/SAVP" if local.srtp == "required" else "RTP/AVP"
        crypto = offered_lines(local.keys) if local.keys is not None and local.srtp != "off" else ()
    audio = _audio_section(local, formats, protocol, local.direction, crypto, rtcp_mux=True)
    if ours is None:
        return _describe(local, (*map(_refuse, sections), audio))
    return _describe(local, (audio if index == ours else _refuse(other) for index, other in enumerate(sections)))


def make_answer(offer: SessionDescription, local: LocalMedia) -> tuple[SessionDescription, MediaPlan]:
    """Answer an offer (RFC 3264 §6) with our most preferred codec that it names. Raises NotAcceptable.

    Of several sections that can be answered it is the first, but where one must be encrypted, that one.
    """
    reasons = []
    for index, section in sorted(
        enumerate(offer.media), key=lambda place: place[1].protocol not in _ENCRYPTED_PROTOCOLS
    ):
        try:
            answer, plan = _answer_section(offer, section, local)
        except NotAcceptable as error:
            reasons.append((section.kind != "audio", section.port == 0, str(error)))
            continue
        sections = (answer if other == index else _refuse(refused) for other, refused in enumerate(offer.media))
        return _describe(local, sections), plan
    if not reasons:
        raise NotAcceptable("The offer has no media in it.")
    raise NotAcceptable(min(reasons)[2])  # of the refused sections, one that wanted to be audio explains most


def accept_answer(offer: SessionDescription, answer: SessionDescription, srtp: SrtpPolicy = "offered") -> MediaPlan:
    """Read the answer to our own offer (RFC 3264 §7). Raises NotAcceptable.

    Where `srtp` is required, also for an answer in the clear to a re-offer as RTP/AVP, which a peer's own offer had been.

    We send with the answer's payload type numbers. The peer sends with our offer's; phones that send with their own are
    heard too, where their number means nothing else in our offer.
    """
    index = _first_open_audio(offer.media)
    if index is None or index >= len(answer.media):
        raise NotAcceptable("The answer has no audio in it.")
    asked, section = offer.media[index], answer.media[index]
    _check_audio(section, "answer")
    keys = _accept_key(asked, section, srtp)
    offered, answered = AudioFormats.of(asked), AudioFormats.of(section)
    common = [known for known in answered.codecs if offered.first(known.codec)]
    if not common:
        raise NotAcceptable("The answer names none of the codecs we offered.")
    codecs = {known.codec for known in common}
    receive = {known.number: known for known in offered.codecs if known.codec in codecs}
    meant_otherwise = {*asked.formats} - {str(number) for number in receive}
    for known in common:
        if str(known.number) not in meant_otherwise:
            receive.setdefault(known.number, known)
    own_host = _literal_host(offer, asked, "offer")
    return _plan(
        described=answer,
        section=section,
        own_host=own_host,
        send=common[0],
        receive=tuple(receive.values()),
        own_direction=_direction(offer, asked),
        events=common_events(answered, offered, common[0]),
        packet_ms=_packet_ms(offer, asked, 20),
        srtp=keys,
        rtcp_mux=_has_flag(asked, "rtcp-mux") and _has_flag(section, "rtcp-mux"),
        what="answer",
    )


def _answer_section(
    offer: SessionDescription, section: MediaDescription, local: LocalMedia
) -> tuple[MediaDescription, MediaPlan]:
    _check_audio(section, "offer")
    line = _choose_line(section, local)
    key = answering_line(line, local.keys) if line is not None and local.keys is not None else None
    offered = AudioFormats.of(section)
    chosen = next((known for codec in local.codecs if (known := offered.first(codec))), None)
    if chosen is None:
        raise NotAcceptable(f"The offer names none of our codecs ({', '.join(local.codecs)}).")
    events = common_events(offered, offered, chosen)
    plan = _plan(
        described=offer,
        section=section,
        own_host=local.host,
        send=chosen,
        receive=(chosen,),
        own_direction=local.direction,
        events=events,
        packet_ms=local.packet_ms,
        srtp=_srtp_plan(key, line) if key is not None and line is not None else None,
        rtcp_mux=_has_flag(section, "rtcp-mux"),
        what="offer",
    )
    formats = AudioFormats((chosen,), {events.clock_rate_hz: events.send} if events else {})
    crypto = (key,) if key is not None else ()
    answer = _audio_section(local, formats, section.protocol, plan.direction, crypto, rtcp_mux=plan.rtcp_mux)
    return answer, plan


def _plan(
    *,
    described: SessionDescription,
    section: MediaDescription,
    own_host: str,
    send: PayloadType,
    receive: tuple[PayloadType, ...],
    own_direction: MediaDirection,
    events: TelephoneEvents | None,
    packet_ms: int,
    srtp: SrtpPlan | None,
    rtcp_mux: bool,
    what: str,
) -> MediaPlan:
    """The plan for talking with what the peer described in `section`."""
    host = _literal_host(described, section, what)
    address = ip_address(host)
    if address.version != ip_address(own_host).version:
        raise NotAcceptable(f"The {what} wants audio over IPv{address.version}; this call's audio is not.")
    peer = _direction(described, section)
    if address.is_unspecified:  # RFC 3264 §8.4: how RFC 2543 phones put a call on hold
        peer = _direction_of(sends=peer in _SENDS, receives=False)
    return MediaPlan(
        remote_rtp=HostPort(host, section.port),
        remote_rtcp=HostPort(host, section.port) if rtcp_mux else _rtcp_address(described, section, host),
        send=send,
        receive=receive,
        direction=_direction_of(
            sends=own_direction in _SENDS and peer in _RECEIVES,
            receives=own_direction in _RECEIVES and peer in _SENDS,
        ),
        packet_ms=_packet_ms(described, section, packet_ms),
        telephone_event_send=events.send if events else None,
        telephone_event_receive=events.receive if events else None,
        telephone_event_clock_hz=events.clock_rate_hz if events else send.clock_rate_hz,
        srtp=srtp,
        rtcp_mux=rtcp_mux,
    )


def _check_audio(section: MediaDescription, what: str) -> None:
    if section.kind != "audio":
        raise NotAcceptable(f"The {what} has no audio in it.")
    if section.port == 0:
        raise NotAcceptable(f"The {what}'s audio is switched off.")
    if section.protocol not in (*_PLAIN_PROTOCOLS, *_ENCRYPTED_PROTOCOLS):
        words = (
            "encrypted audio by DTLS, which is not supported" if "SAVP" in section.protocol else "an unknown protocol"
        )
        raise NotAcceptable(f"The {what} wants {words} ({section.protocol[:40]}).")


def _choose_line(section: MediaDescription, local: LocalMedia) -> CryptoLine | None:
    """The key of an offer that we answer, by our policy; None for plain audio. The offer's first usable line wins."""
    encrypted = section.protocol in _ENCRYPTED_PROTOCOLS
    if local.srtp == "off":
        if encrypted:
            raise NotAcceptable("The offer wants encrypted audio only, which is switched off here (srtp).")
        return None
    lines = crypto_lines(section)
    if lines:
        return lines[0]
    if encrypted:
        raise NotAcceptable("The offer wants encrypted audio only and brings no key that can be used here.")
    if local.srtp == "required":
        raise NotAcceptable("The offer's audio is not encrypted, which is required here (srtp).")
    return None


def _accept_key(asked: MediaDescription, section: MediaDescription, policy: SrtpPolicy) -> SrtpPlan | None:
    """The keys that an answer leads to: ours of the line it takes, and the one it brings (RFC 4568 §5.1.3)."""
    ours = crypto_lines(asked)
    encrypted = asked.protocol in _ENCRYPTED_PROTOCOLS or section.protocol in _ENCRYPTED_PROTOCOLS
    if not any(attribute.name == "crypto" for attribute in section.attributes) or not ours:
        if encrypted:
            raise NotAcceptable("The answer brings no key for the encrypted audio that was agreed on.")
        if policy == "required":
            raise NotAcceptable("The answer brings no key for the audio, which is to be encrypted here (srtp).")
        return None
    for theirs in crypto_lines(section):
        own = next((line for line in ours if line.suite == theirs.suite), None)
        if own is not None and own.key != theirs.key:  # our own key thrown back would encrypt both ways alike
            return _srtp_plan(own, theirs)
    raise NotAcceptable("The answer brings no usable key of an encryption that was offered.")


def _srtp_plan(own: CryptoLine, theirs: CryptoLine) -> SrtpPlan:
    return SrtpPlan(own.suite, own.key, theirs.key, theirs.mki)


def _has_flag(section: MediaDescription, name: str) -> bool:
    return any(attribute.name == name and attribute.value is None for attribute in section.attributes)


def _literal_host(description: SessionDescription, section: MediaDescription, what: str) -> str:
    """The section's address. Names are not looked up: RTP is latched to an address, and a name may have several."""
    host = description.media_host(section)
    if host is None:
        raise NotAcceptable(f"The {what} says no address to send audio to.")
    address = literal(host)
    if address is None:
        raise NotAcceptable(f"The {what} gives a host name where an IP address is needed: {host[:80]}.")
    if address.is_multicast:
        raise NotAcceptable(f"The {what} wants audio sent to a multicast address ({host}).")
    return host


def _rtcp_address(description: SessionDescription, section: MediaDescription, host: str) -> HostPort:
    """Where RTCP goes: `a=rtcp:` (RFC 3605) if it is readable, else the port above RTP's (RFC 3550 §11)."""
    fields = (section.attribute("rtcp") or "").split()
    port = parse_number(fields[0], 65_535) if fields else None
    if not port:
        return HostPort(host, min(section.port + 1, 65_535))
    own = literal(fields[3]) if len(fields) == 4 else None
    same_family = own is not None and own.version == ip_address(host).version
    return HostPort(fields[3] if same_family else host, port)


def _direction(description: SessionDescription, section: MediaDescription) -> MediaDirection:
    """A section's direction seen from whoever wrote it: its own attribute, else the session's, else sendrecv."""
    for attribute in (*section.attributes, *description.attributes):
        if attribute.value is None and attribute.name in ("sendrecv", "sendonly", "recvonly", "inactive"):
            return _direction_of(sends=attribute.name in _SENDS, receives=attribute.name in _RECEIVES)
    return "sendrecv"


def _direction_of(*, sends: bool, receives: bool) -> MediaDirection:
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def _packet_ms(description: SessionDescription, section: MediaDescription, wanted: int) -> int:
    """Milliseconds of audio in a packet we send: the peer's ptime within its maxptime, if whole frames of ours fit."""
    ptime, longest = (
        parse_number(description.attribute(section, name) or "", _LARGEST_PACKET_MS) for name in ("ptime", "maxptime")
    )
    packet_ms = min(ptime or wanted, longest or _LARGEST_PACKET_MS)
    return packet_ms if packet_ms in _PACKET_MS else 20


def _first_open_audio(sections: Iterable[MediaDescription]) -> int | None:
    audio = (index for index, section in enumerate(sections) if section.kind == "audio" and section.port)
    return next(audio, None)


def _audio_section(
    local: LocalMedia,
    formats: AudioFormats,
    protocol: str,
    direction: MediaDirection,
    crypto: tuple[CryptoLine, ...],
    *,
    rtcp_mux: bool,
) -> MediaDescription:
    attributes = [*format_attributes(formats), Attribute("ptime", str(local.packet_ms)), Attribute(direction)]
    attributes += [line.serialize() for line in crypto]
    if local.rtcp_port is not None:
        attributes.append(Attribute("rtcp", str(local.rtcp_port)))
    if rtcp_mux:
        attributes.append(Attribute("rtcp-mux"))
    return MediaDescription("audio", local.port, protocol, format_numbers(formats), attributes=tuple(attributes))


def _refuse(section: MediaDescription) -> MediaDescription:
    return MediaDescription(section.kind, 0, section.protocol, section.formats or ("0",))


def _describe(local: LocalMedia, sections: Iterable[MediaDescription]) -> SessionDescription:
    origin = Origin("-", str(local.session_id), str(local.session_version), local.host)
    return SessionDescription(origin, host=local.host, media=tuple(sections))
