"""What an audio section's payload types mean: rtpmap and fmtp lines to codecs and back (RFC 8866 §6.6, RFC 3551 §6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from voip_engine.sdp.description import Attribute, MediaDescription, parse_number
from voip_engine.sdp.plan import CodecName, PayloadType

STATIC_TYPES: Mapping[int, CodecName] = {0: "PCMU", 8: "PCMA", 9: "G722"}
"""Payload types that need no rtpmap (RFC 3551 §6, table 4)."""

CLOCK_RATE_HZ: Mapping[CodecName, int] = {"opus": 48_000, "G722": 8_000, "PCMA": 8_000, "PCMU": 8_000}
"""RTP clocks. G.722 counts in 8000 Hz although it samples at 16000: RFC 3551 §4.5.2 keeps an old mistake."""

_PREFERRED_NUMBER: Mapping[CodecName, int] = {"opus": 96, "G722": 9, "PCMA": 8, "PCMU": 0}
_PREFERRED_EVENT_NUMBER: Mapping[int, int] = {8_000: 101, 48_000: 100}
_FIRST_DYNAMIC, _LAST_TYPE = 96, 127
_CODEC_BY_ENCODING: Mapping[str, CodecName] = {"opus": "opus", "g722": "G722", "pcma": "PCMA", "pcmu": "PCMU"}
_RTPMAP = re.compile(r"([0-9]{1,3})\s+([^\s/]+)/([0-9]{1,6})(?:/([0-9]{1,2}))?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class AudioFormats:
    """An audio section's payload types that we know, in its own order of preference.

    `events` are the telephone-event types (RFC 4733) as RTP clock rate → payload type number.
    """

    codecs: tuple[PayloadType, ...]
    events: Mapping[int, int]

    @classmethod
    def of(cls, media: MediaDescription) -> AudioFormats:
        """Read them from a media section; what is unknown or unreadable is left out."""
        maps = _rtpmaps(media)
        codecs: list[PayloadType] = []
        events: dict[int, int] = {}
        for text in dict.fromkeys(media.formats):
            number = parse_number(text, _LAST_TYPE)
            if number is None:
                continue
            if number not in maps:
                if number in STATIC_TYPES:
                    codec = STATIC_TYPES[number]
                    codecs.append(PayloadType(number, codec, CLOCK_RATE_HZ[codec]))
                continue
            encoding, clock_rate_hz, channels = maps[number]
            named = _CODEC_BY_ENCODING.get(encoding)
            if encoding == "telephone-event":
                events.setdefault(clock_rate_hz, number)
            # RFC 7587 §4.1 wants opus/48000/2; phones that leave the channels out mean the same stream.
            elif named and clock_rate_hz == CLOCK_RATE_HZ[named] and channels <= (2 if named == "opus" else 1):
                codecs.append(PayloadType(number, named, clock_rate_hz))
        return cls(tuple(codecs), events)

    def first(self, codec: CodecName) -> PayloadType | None:
        """The most preferred payload type of a codec."""
        return next((known for known in self.codecs if known.codec == codec), None)


@dataclass(frozen=True, slots=True)
class TelephoneEvents:
    """The telephone-event types agreed on: payload type numbers each way, and what their durations count in."""

    send: int
    receive: int
    clock_rate_hz: int


def common_events(theirs: AudioFormats, ours: AudioFormats, codec: PayloadType) -> TelephoneEvents | None:
    """The telephone-events that both sides know and that go with a codec.

    RFC 4733 §2.1 wants the codec's own clock; many phones know 8000 Hz events alone beside Opus, and mean them.
    """
    for clock_rate_hz in (codec.clock_rate_hz, 8_000):
        if clock_rate_hz in theirs.events and clock_rate_hz in ours.events:
            return TelephoneEvents(theirs.events[clock_rate_hz], ours.events[clock_rate_hz], clock_rate_hz)
    return None


def offer_formats(codecs: Iterable[CodecName], previous: AudioFormats, taken: Iterable[int]) -> AudioFormats:
    """Number the codecs of an offer, with telephone-events for each of their clocks.

    What has a number in `previous` keeps it, and no number in `taken` gets another meaning (RFC 3264 §8.3.2).
    """
    used = set(taken)

    def number_for(known: int | None, preferred: int) -> int:
        if known is not None:
            return known
        candidates: tuple[int, ...] = (preferred, *range(_FIRST_DYNAMIC, _LAST_TYPE + 1))
        number = next(number for number in candidates if number not in used)
        used.add(number)
        return number

    numbered = []
    for codec in codecs:
        known = previous.first(codec)
        number = number_for(known.number if known else None, _PREFERRED_NUMBER[codec])
        numbered.append(PayloadType(number, codec, CLOCK_RATE_HZ[codec]))
    clocks = dict.fromkeys(payload_type.clock_rate_hz for payload_type in numbered)
    events = {clock: number_for(previous.events.get(clock), _PREFERRED_EVENT_NUMBER[clock]) for clock in clocks}
    return AudioFormats(tuple(numbered), events)


def format_attributes(formats: AudioFormats) -> tuple[Attribute, ...]:
    """The rtpmap and fmtp lines for payload types; static types get theirs too, as RFC 8866 §6.6 recommends."""
    attributes = []
    for known in formats.codecs:
        channels = "/2" if known.codec == "opus" else ""
        attributes.append(Attribute("rtpmap", f"{known.number} {known.codec}/{known.clock_rate_hz}{channels}"))
        if known.codec == "opus":
            attributes.append(Attribute("fmtp", f"{known.number} useinbandfec=1"))
    for clock_rate_hz, number in formats.events.items():
        attributes.append(Attribute("rtpmap", f"{number} telephone-event/{clock_rate_hz}"))
        attributes.append(Attribute("fmtp", f"{number} 0-15"))
    return tuple(attributes)


def format_numbers(formats: AudioFormats) -> tuple[str, ...]:
    """The payload type numbers as they stand in the m= line."""
    return tuple(str(known.number) for known in formats.codecs) + tuple(str(n) for n in formats.events.values())


def _rtpmaps(media: MediaDescription) -> dict[int, tuple[str, int, int]]:
    """Payload type number → (encoding in lower case, clock rate in Hz, channels); a number's first line wins."""
    maps: dict[int, tuple[str, int, int]] = {}
    for attribute in media.attributes:
        if attribute.name == "rtpmap" and attribute.value and (match := _RTPMAP.fullmatch(attribute.value)):
            number, encoding, clock_rate_hz, channels = match.groups()
            maps.setdefault(int(number), (encoding.lower(), int(clock_rate_hz), int(channels or 1)))
    return maps
