"""How the console says things: figures, names, states and events in plain words.

Names and reasons come from the network. Everything that is shown passes `clean`, so that no peer can send control
characters to the operator's terminal.
"""

from __future__ import annotations

import re
from datetime import datetime

from rich.cells import cell_len, set_cell_size

from voip_engine.events import MediaChangeRefused
from voip_engine.snapshots import (
    CallDirection,
    CallSnapshot,
    CallState,
    CodecSnapshot,
    Holder,
    MediaChange,
    TransferSnapshot,
    TransferState,
)

SILENCE_DBFS = -60.0
"""Where meters begin. Below this, speech is not heard over a telephone."""

BREAKS = str.maketrans("\n\r\t\v\f\u2028\u2029\u00a0", " " * 8)

CODEC_TITLES = {"opus": "Opus", "G722": "G.722", "PCMA": "G.711 A", "PCMU": "G.711 µ"}
SHORT_CODEC_WIDTH = 5
IN_VAIN = {
    MediaChange.HOLD: "Could not hold the call",
    MediaChange.RESUME: "Could not resume the call",
    MediaChange.CODECS: "Could not change the codec",
    MediaChange.ADDRESS: "Could not tell the other side where we are now",
    None: "Could not change the call",
}
"""What came of a change that nobody refused."""


def clean(text: str) -> str:
    """`text` with everything that does not print replaced by a dot."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "·" for letter in text)


def one_line(text: str) -> str:
    """`text` cleaned, its line breaks and tabs as spaces; as long as before, so that places in it stay true."""
    return clean(text.translate(BREAKS))


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells, shortened with an ellipsis where it is longer."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(set_cell_size(text, width - 1).rstrip() + "…", width)
    padding = " " * (width - length)
    return padding + text if right else text + padding


def head(text: str, width: int) -> str:
    """The beginning of `text` that fits into `width` cells, up to a space or a mark where there is one in its later half."""
    fitting = text
    while cell_len(fitting) > width:
        fitting = fitting[:-1]
    ends = [place + 1 for place, letter in enumerate(fitting) if letter in " ;,:@·" and place + 1 > len(fitting) // 2]
    return fitting[: ends[-1]] if ends and len(fitting) < len(text) else fitting


def brief(sentence: str) -> str:
    """The head of a long sentence: without what stands in parentheses and what follows a semicolon."""
    head = re.sub(r" *\([^()]*\)", "", sentence.partition(";")[0]).rstrip()
    return head if not head or head[-1] in ".!?…" else head + "."


def duration(seconds: float, *, short: bool = False) -> str:
    """`4:05`, or `1:02:03` from an hour on, `1h02` where that must be short."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours and short:
        return f"{hours}h{minutes:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(at: float) -> str:
    """The local time of day of `at`, seconds since the epoch."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 call`, `4 calls`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def bare_uri(uri: str) -> str:
    """A SIP URI as people say it: without scheme, parameters and headers."""
    scheme, colon, rest = uri.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel"):
        uri = rest
    return clean(uri.split(";", 1)[0].split("?", 1)[0])


def host(place: str) -> str:
    """A host and perhaps a port without the port, in lower case."""
    name, colon, port = place.rpartition(":")
    return (name if colon and port.isdigit() and not name.endswith(":") else place).lower()


def domain(account: str) -> str:
    """Where an account is at home."""
    return host(bare_uri(account).rpartition("@")[2])


def identity(call: CallSnapshot) -> tuple[str, str]:
    """Name and URI of who is on the line: what a trusted network says goes before what the other side says of itself."""
    if not call.asserted_uri:
        return call.peer_name, call.peer_uri
    same = bare_uri(call.asserted_uri).partition("@")[0] == bare_uri(call.peer_uri).partition("@")[0]
    return call.asserted_name or (call.peer_name if same else ""), call.asserted_uri


def peer(call: CallSnapshot) -> str:
    """Who is on the line: the display name, or else the telephone number, or else the address.

    The host goes without saying of a number, and of somebody at the same domain as the account.
    """
    name, uri = identity(call)
    address = bare_uri(uri)
    user, at, place = address.partition("@")
    if at and (user.lstrip("+").isdigit() or (call.account is not None and host(place) == domain(call.account))):
        address = user
    return clean(name) or address or "unknown"


def gone(call: CallSnapshot) -> str:
    """That a call is over, as a sentence that says whose it was."""
    if call.end_reason in ("", "The other side hung up."):
        return f"{peer(call)} has hung up."
    return f"The call with {peer(call)} is over: {clean(call.end_reason)}"


def direction_arrow(call: CallSnapshot) -> str:
    """`↙` for calls to us, `↗` for ours."""
    return "↙" if call.direction is CallDirection.INBOUND else "↗"


HOLDERS = {
    Holder.US: ("on hold", "on hold by us"),
    Holder.THEM: ("they hold", "on hold by them"),
    Holder.BOTH: ("both hold", "on hold by both"),
}


def state(call: CallSnapshot, *, whole: bool = False) -> str:
    """Where the call stands, in a word or two; `whole` also says by whom it is held."""
    if call.state is not CallState.CONNECTED:
        return str(call.state.value)
    if call.transfer is not None and call.transfer.state not in (TransferState.DONE, TransferState.FAILED):
        return "transfer"
    return HOLDERS[call.held_by][whole] if call.on_hold else str(call.state.value)


def transfer(transfer: TransferSnapshot) -> str:
    """How a transfer goes, in a few words that name its target."""
    target = bare_uri(transfer.target)
    match transfer.state:
        case TransferState.ASKED:
            return f"asked to call {target}, no reply yet"
        case TransferState.TRYING:
            return f"calling {target}"
        case TransferState.RINGING:
            return f"{target} rings"
        case TransferState.DONE:
            return f"transferred to {target}"
        case TransferState.FAILED:
            return f"not transferred to {target}: {clean(transfer.detail)}"


def unchanged(event: MediaChangeRefused) -> str:
    """Why a call goes on as it was, in a sentence."""
    if event.by == "remote":
        return f"The other side refused the change: {event.reason}"
    return f"{IN_VAIN[event.change]}: {event.reason}"


def length(call: CallSnapshot, now: float) -> float:
    """Seconds of talk for an answered call, of waiting for any other."""
    start = call.answered_at if call.answered_at is not None else call.created_at
    return (call.ended_at if call.ended_at is not None else now) - start


def codec(codec: CodecSnapshot | None, *, short: bool = False) -> str:
    """The codec as engineers call it; `short` for where that must fit five letters, else as SDP calls it."""
    if codec is None:
        return ""
    title = codec_title(codec.name)
    return clean(codec.name) if short and len(title) > SHORT_CODEC_WIDTH else title


def codec_title(name: str) -> str:
    """The codec of this name in SDP as engineers call it."""
    return CODEC_TITLES.get(name, clean(name))


def rate(hz: int) -> str:
    """`8 kHz`."""
    return f"{hz / 1000:g} kHz"


def level(dbfs: float) -> str:
    """A level in words of width 7; silence has no figure."""
    return "silent" if dbfs <= SILENCE_DBFS else f"{dbfs:.0f} dB"


def milliseconds(value: float | None) -> str:
    """`2.1 ms`, whole from ten on; a dash for what is not known yet."""
    if value is None:
        return "—"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def percent(value: float | None) -> str:
    """`0.4 %`, whole from ten on; a dash for what is not known yet."""
    if value is None:
        return "—"
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %"


def listening(address: str) -> str:
    """`udp 127.0.0.1:5060`."""
    return clean(address.replace(":", " ", 1))
