"""A call's dialogue and SIP messages as a text file, written when the operator asks for it and never otherwise."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from voip_engine.snapshots import CallDirection, CallSnapshot, DialogueLine, LineState, Speaker
from voip_tui import words

if TYPE_CHECKING:
    from voip_engine import SipTraceEntry


def other_side(call: CallSnapshot) -> str:
    """What the person at the other end is called where no name fits."""
    return "Callee" if call.direction is CallDirection.OUTBOUND else "Caller"


def transcript(call: CallSnapshot, lines: Sequence[DialogueLine]) -> str:
    """Who said what and when, as plain text: seconds into the call, what was cut off in [brackets]."""
    began = call.answered_at if call.answered_at is not None else call.created_at
    head = [
        f"{words.peer(call)}  {words.bare_uri(call.peer_uri)}",
        f"{datetime.fromtimestamp(call.created_at):%Y-%m-%d %H:%M:%S}  Call-ID {words.clean(call.sip_call_id)}",
        "",
    ]
    said = (
        f"{words.duration(line.started_at - began):>8}  {_name(call, line):<6}  {text}"
        for line in lines
        if (text := _said(line))
    )
    return "\n".join([*head, *said, ""])


def _name(call: CallSnapshot, line: DialogueLine) -> str:
    return "Agent" if line.speaker is Speaker.AGENT else other_side(call)


def _said(line: DialogueLine) -> str:
    text = words.one_line(line.text)
    if line.state is LineState.LOST:
        return f"({words.one_line(line.detail) or 'not transcribed'})"
    if line.state is LineState.CUT:
        heard, rest = text[: line.heard_characters], text[line.heard_characters :]
        return f"{heard}[{rest}]" if rest else heard
    return text


def ladder(trace: Sequence[SipTraceEntry]) -> str:
    """SIP messages one after the other, each under a line that says when and which way it went."""
    parts = []
    for entry in trace:
        way = f"we to {entry.destination}" if entry.sent else f"{entry.source} to us"
        when = datetime.fromtimestamp(entry.at).strftime("%H:%M:%S.%f")[:-3]
        again = ", again" if entry.repeated else ""
        text = "\n".join(map(words.one_line, entry.text.split("\n")))
        parts.append(f"---- {when}  {words.clean(way)} over {entry.transport}{again}\n{text.rstrip()}\n")
    return "\n".join(parts)


def save(
    folder: Path, call: CallSnapshot, lines: Sequence[DialogueLine], now: float, trace: Sequence[SipTraceEntry] = ()
) -> Path:
    """Write dialogue and SIP messages into a file that only its owner can read; an earlier one that holds the same stays.

    Gives the file. Raises OSError.
    """
    name = "".join(letter if letter.isalnum() else "-" for letter in words.peer(call))[:40].strip("-") or "call"
    content = transcript(call, lines) + (f"\n{ladder(trace)}" if trace else "")
    data = content.encode()
    for known in folder.glob(f"dialogue-{name}-*.txt"):
        if known.stat().st_size == len(data) and known.read_bytes() == data:
            return known
    file = folder / f"dialogue-{name}-{datetime.fromtimestamp(now):%Y%m%d-%H%M%S}.txt"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    return file
