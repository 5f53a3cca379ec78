"""What was sent and received on each call, kept for whoever has to find out why a call went as it did.

```
bytes ──► redacted ──► SipTrace (bounded, one a Call-ID) ──► entries(), for a ladder
```
What is kept holds no secret: neither what proves who somebody is (credentials, challenges), nor what opens the audio (keys of
SRTP and ICE), nor what callers type or write (bodies other than session descriptions and status lines). Messages stay bytes
until somebody looks at them.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final
from weakref import WeakValueDictionary

from voip_engine.hosts import host_port
from voip_engine.sip.flow import Flow, Transport

FIRST_KEPT: Final = 40
LATEST_KEPT: Final = 160
"""How a call began is kept for good; of what follows the oldest is dropped."""
BYTES_KEPT: Final = 4096
"""Longer messages are cut here."""

_NOT_KEPT = b"(not kept)"
# No header that is looked for stands in the first line; a pattern that begins with a line break is found fast.
_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\s]+)", re.IGNORECASE)
_CSEQ_METHOD = re.compile(rb"\ncseq[ \t]*:[ \t]*[0-9]+[ \t]+([^\s]+)", re.IGNORECASE)
_TO_TAG = re.compile(rb"\n(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=", re.IGNORECASE)
_CONTENT_TYPE = re.compile(rb"\n(?:content-type|c)[ \t]*:[ \t]*([^\s;]+)")
_ENCODED = re.compile(rb"\n(?:content-encoding|e)[ \t]*:")
_CREDENTIALS = re.compile(
    rb"(?:^|(?<=[\r\n]))((?:proxy-|www-)?(?:authori[sz]ation|authenticat[a-z-]*)(?:\r?\n)?[ \t]*:[ \t]*)"
    rb"[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*",
    re.IGNORECASE,
)
_MENTIONS_CREDENTIALS = re.compile(rb"authori|authenti")
_URI_PASSWORD = re.compile(rb"(sips?:[^\s:@<>]{0,256}+:)[^\s@<>]{1,256}+(?=@)", re.IGNORECASE)
_MENTIONS_PASSWORD = re.compile(rb"sips?:[^\s:@<>]{0,256}+:[^\s@<>]{1,256}+@")
# Wherever in a line: descriptions are read with blanks in odd places, and so must their keys be found.
_KEYS = re.compile(
    rb"((?:(?:^|(?<=[\r\n]))[^\r\n!-~]*k=|ice-pwd|key-mgmt|inline|crypto(?::[0-9]{1,9} [A-Z0-9_]{1,40} )?):?)[^\r\n]*",
    re.IGNORECASE,
)
_MENTIONS_KEYS = re.compile(rb"k=|ice-pwd|key-mgmt|inline|crypto")
_SHOWN_BODIES = (b"application/sdp", b"message/sipfrag")


@dataclass(frozen=True)
class SipTraceEntry:
    """One message. `at` is seconds since the epoch, addresses are `host:port`; `repeated` marks a retransmission.

    What we sent stands with the way that it really went, which may be another than it was meant for: names are looked up,
    servers fail and others are tried, and what is too long for UDP goes over TCP (RFC 3261 §18.1.1). What never left is not
    there. `message` holds the redacted bytes.
    """

    at: float
    sent: bool
    transport: Transport
    source: str
    destination: str
    repeated: bool
    message: bytes

    @cached_property
    def start_line(self) -> str:
        """`INVITE sip:bob@192.0.2.7 SIP/2.0` or `SIP/2.0 200 OK`."""
        return self.message.partition(b"\n")[0].decode(errors="replace").strip()

    @property
    def status(self) -> int | None:
        """A response's status; None for a request."""
        version, _, rest = self.start_line.partition(" ")
        status = rest[:3]
        return int(status) if version.upper() == "SIP/2.0" and status.isascii() and status.isdigit() else None

    @cached_property
    def method(self) -> str:
        """The method, of a response that of the request it answers (CSeq)."""
        if self.status is None:
            return self.start_line.partition(" ")[0]
        found = _CSEQ_METHOD.search(self.message)
        return found[1].decode(errors="replace") if found else ""

    @property
    def in_dialog(self) -> bool:
        """Whether it belongs to a dialog that stands already: its To has a tag (RFC 3261 §12.2)."""
        return _TO_TAG.search(self.message) is not None

    @property
    def has_description(self) -> bool:
        """Whether a session description comes with it."""
        return b"\r\n\r\nv=0" in self.message

    @property
    def text(self) -> str:
        """The whole message without its secrets, one header a line."""
        return "\n".join(self.message.decode(errors="replace").splitlines())


class SipTrace:
    """The messages of one call: the first 40 and the latest 160."""

    def __init__(self) -> None:
        self.dropped = 0
        """How many were forgotten, between the first 40 and the rest."""
        self._first: list[SipTraceEntry] = []
        self._latest: deque[SipTraceEntry] = deque(maxlen=LATEST_KEPT)

    def entries(self) -> tuple[SipTraceEntry, ...]:
        """The messages in the order they went by."""
        return (*self._first, *self._latest)

    def add(self, at: float, sent: bool, transport: Transport, source: str, destination: str, data: bytes) -> None:
        """Keep a message, without its secrets."""
        message = redacted(data)
        kept = chain(self._first, self._latest)
        same = next((known for known in kept if known.sent == sent and known.message == message), None)
        if same is not None:
            message = same.message
        entry = SipTraceEntry(at, sent, transport, source, destination, same is not None, message)
        if len(self._first) < FIRST_KEPT:
            self._first.append(entry)
            return
        self.dropped += len(self._latest) == LATEST_KEPT
        self._latest.append(entry)


class SipTraces:
    """The traces of the calls there are. A trace lives as long as somebody holds it; what concerns no call is not kept."""

    def __init__(self) -> None:
        self._traces: WeakValueDictionary[str, SipTrace] = WeakValueDictionary()

    def open(self, call_id: str) -> SipTrace:
        """The trace of a Call-ID, to be held by the call. Both ends of a call from us to us share theirs."""
        return self._traces.setdefault(call_id, SipTrace())

    def received(self, data: bytes, flow: Flow, at: float) -> None:
        """A message came along a flow."""
        if (trace := self._trace_of(data)) is not None:
            here, there = _ends(flow)
            trace.add(at, False, flow.transport, there, here, data)

    def sent(self, data: bytes, flow: Flow, at: float) -> None:
        """A message went out along a flow."""
        if (trace := self._trace_of(data)) is not None:
            here, there = _ends(flow)
            trace.add(at, True, flow.transport, here, there, data)

    def _trace_of(self, data: bytes) -> SipTrace | None:
        if not self._traces:
            return None
        found = _CALL_ID.search(data)
        return self._traces.get(found[1].decode(errors="replace")) if found else None


def redacted(data: bytes) -> bytes:
    """A message without its secrets, cut to 4 KiB."""
    # At the end of a line, so that no half of one is taken for something harmless.
    end = len(data) if len(data) <= BYTES_KEPT else data.rfind(b"\n", 0, BYTES_KEPT) + 1
    cut = len(data) - end
    head, blank, body = data[:end].partition(b"\r\n\r\n")
    lowered = head.lower()
    head = _without_credentials(head, lowered)
    if body:
        kinds = _CONTENT_TYPE.findall(lowered)
        if not kinds or not all(kind in _SHOWN_BODIES for kind in kinds) or _ENCODED.search(lowered):
            body = b"(%d bytes of %s, not kept)" % (len(body) + cut, kinds[0] if kinds else b"something")
            cut = 0
        else:
            body = body.replace(b"\0", b"")  # as our own reader does, before it looks for keys
            lowered = body.lower()
            body = _without_credentials(body, lowered)
            if _MENTIONS_KEYS.search(lowered):
                body = _KEYS.sub(rb"\1" + _NOT_KEPT, body)
    return head + blank + body + (b"(%d bytes more)" % cut if cut else b"")


def _without_credentials(text: bytes, lowered: bytes) -> bytes:
    """The searches in lower case are many times as fast as the replacing, and most messages hold nothing to replace."""
    if _MENTIONS_CREDENTIALS.search(lowered):
        text = _CREDENTIALS.sub(rb"\1" + _NOT_KEPT, text)
    if _MENTIONS_PASSWORD.search(lowered):
        text = _URI_PASSWORD.sub(rb"\1" + _NOT_KEPT, text)
    return text


def _ends(flow: Flow) -> tuple[str, str]:
    return host_port(flow.local_host, flow.local_port), host_port(flow.remote_host, flow.remote_port)
