"""sipp's scenarios out of steps: what a peer sends and expects, with the headers of a dialog filled in.

`caller(invite(), expect(200), ack(), …)` is a peer that calls; `called(heard("INVITE", save="INVITE"), reply(180), …)` one that
is called, whose own requests in the dialog of the request saved so are `asks("BYE")`. Branches are named by CSeq and method, so
that CANCEL and the ACK for a refusal have that of their INVITE.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PCMA = """\
v=0
o=sipp 1 {version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] {address}
t=0 0
m=audio [media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a={direction}
"""

WAIT_MS = 6_000
Kept = tuple[str, str, str]
"""A header, what of it is kept, and the names of the variables for the whole and the groups of it."""
TAG: Kept = ("To:", ";tag=([^;]*)", "kept_whole,kept_tag")
KEPT_TAG = ";tag=[$kept_tag]"

SAVED = {
    "via": ("Via:", ".*"),
    "from": ("From:", ".*"),
    "to": ("To:", ".*"),
    "cseq": ("CSeq:", ".*"),
    "contact": ("Contact:", "sips?:[^>;]*"),
}
"""What is kept of a request that is answered later: header and the part of it."""


def sdp(direction: str = "sendrecv", *, version: int = 1, address: str = "[media_ip]") -> str:
    """A description: G.711 A-law and keys."""
    return PCMA.format(direction=direction, version=version, address=address)


# ---- a peer that calls ----


def caller(*steps: str) -> str:
    """A scenario that begins with a request of its own."""
    return _scenario(steps)


def invite(body: str | None = None, *, headers: Sequence[str] = (), cseq: int = 1) -> str:
    """INVITE, with a description unless `body` is empty. A later one is a re-INVITE."""
    return ask("INVITE", headers=headers, body=sdp() if body is None else body, cseq=cseq)


def ask(
    method: str,
    *,
    cseq: int,
    headers: Sequence[str] = (),
    body: str = "",
    kind: str = "application/sdp",
    to_tag: str = "[peer_tag_param]",
    call_id: str = "[call_id]",
    from_tag: str = "sipp-[call_number]",
    branch: str = "",
    attributes: str = "",
) -> str:
    """A request of the calling side: the first INVITE, or one within its dialog. `to_tag` is empty for a new INVITE."""
    begins = method == "INVITE" and (cseq == 1 or not to_tag)
    return _send(
        f"{method} {TARGET if begins else '[next_url]'} SIP/2.0",
        *_own_headers(method, cseq, branch),
        f"From: <sip:sipp@[local_ip]:[local_port]>;tag={from_tag}",
        f"To: <{TARGET}>{to_tag}",
        f"Call-ID: {call_id}",
        *headers,
        body=body,
        kind=kind,
        attributes=attributes or ("" if method == "ACK" else 'retrans="500"'),
    )


def ack(cseq: int = 1, *, body: str = "", attributes: str = "") -> str:
    """ACK for a 2xx, which is a transaction of its own."""
    return ask("ACK", cseq=cseq, body=body, attributes=attributes)


def ack_refusal(cseq: int = 1) -> str:
    """ACK for any other final response, which belongs to its INVITE."""
    return ask("ACK", cseq=cseq, branch=f"{cseq}-INVITE")


def cancel(cseq: int = 1) -> str:
    """CANCEL of an INVITE."""
    return _send(
        f"CANCEL {TARGET} SIP/2.0",
        *_own_headers("CANCEL", cseq, f"{cseq}-INVITE"),
        "From: <sip:sipp@[local_ip]:[local_port]>;tag=sipp-[call_number]",
        f"To: <{TARGET}>",
        "Call-ID: [call_id]",
        attributes='retrans="500"',
    )


def expect(status: int, *, optional: bool = False, keep: Kept | None = None) -> str:
    """A response. One that is optional must be followed by one that is not.

    `keep=TAG` keeps the tag that stands in it as `KEPT_TAG`, where responses with others come later.
    """
    attributes = ' optional="true"' if optional else f' rrs="true" timeout="{WAIT_MS}"'
    if keep is None:
        return f'  <recv response="{status}"{attributes}/>\n'
    return f'  <recv response="{status}"{attributes}>\n    <action>{_keep(*keep)}</action>\n  </recv>\n'


# ---- a peer that is called ----


def called(*steps: str) -> str:
    """A scenario that begins with a request of the other side."""
    return _scenario(steps)


def heard(method: str, *, save: str = "") -> str:
    """A request of the other side; `save` names it for replies that come after other messages."""
    keeping = [_keep(header, pattern, f"{save}_{part}") for part, (header, pattern) in SAVED.items() if save]
    return f'  <recv request="{method}" timeout="{WAIT_MS}">\n    <action>{"".join(keeping)}</action>\n  </recv>\n'


def reply(
    status: int,
    *,
    to: str = "",
    headers: Sequence[str] = (),
    body: str = "",
    tag: str = "sipp-[call_number]",
    attributes: str = "",
    reason: str = "Said So",
    kind: str = "application/sdp",
) -> str:
    """A response to the last request, or to the kept one that `to` names. Within a dialog the tag stays away: `tag=""`."""
    tag = f";tag={tag}" if tag else ""
    if to:
        named = (
            f"Via:[${to}_via]",
            f"From:[${to}_from]",
            f"To:[${to}_to]{tag}",
            "Call-ID: [call_id]",
            f"CSeq:[${to}_cseq]",
        )
    else:
        named = ("[last_Via:]", "[last_From:]", f"[last_To:]{tag}", "[last_Call-ID:]", "[last_CSeq:]")
    contact = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>"
    lines = (f"SIP/2.0 {status} {reason}", *named, *_with_contact(contact, headers))
    return _send(*lines, body=body, kind=kind, attributes=attributes)


def asks(
    method: str,
    *,
    cseq: int,
    headers: Sequence[str] = (),
    body: str = "",
    kind: str = "application/sdp",
    tag: str = "sipp-[call_number]",
    branch: str = "",
    attributes: str = "",
) -> str:
    """A request of the called side within the dialog of the INVITE that it kept."""
    return _send(
        f"{method} [$INVITE_contact] SIP/2.0",
        *_own_headers(method, cseq, branch),
        f"From:[$INVITE_to];tag={tag}",
        "To:[$INVITE_from]",
        "Call-ID: [call_id]",
        *headers,
        body=body,
        kind=kind,
        attributes=attributes or ("" if method == "ACK" else 'retrans="500"'),
    )


def answered(body: str | None = None) -> tuple[str, ...]:
    """A called peer that rings and answers at once."""
    return (
        heard("INVITE", save="INVITE"),
        reply(180),
        reply(200, to="INVITE", body=sdp() if body is None else body, attributes='retrans="500"'),
        heard("ACK"),
    )


# ---- either ----


def pause(milliseconds: int) -> str:
    """Let the other side's timers run."""
    return f'  <pause milliseconds="{milliseconds}"/>\n'


TARGET = "sip:echo@[remote_ip]:[remote_port];transport=[transport]"


def _own_headers(method: str, cseq: int, branch: str) -> tuple[str, ...]:
    branch = branch or f"{cseq}-{method}"
    return (
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{branch}",
        "Max-Forwards: 70",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>",
    )


def _with_contact(contact: str, headers: Sequence[str]) -> tuple[str, ...]:
    given = any(header.startswith("Contact:") for header in headers)
    return tuple(headers) if given else (contact, *headers)


def _send(*lines: str, body: str = "", kind: str = "application/sdp", attributes: str = "") -> str:
    typed = (f"Content-Type: {kind}",) if body else ()
    head = "\n".join((*lines, *typed, "Content-Length: [len]"))
    return f"  <send {attributes}>\n    <![CDATA[\n{head}\n\n{body}\n    ]]>\n  </send>\n"


def _keep(header: str, pattern: str, names: str) -> str:
    """What keeps a part of a header of the message that came."""
    where = f'search_in="hdr" header="{header}" check_it="true"'
    return f'<ereg regexp="{pattern}" {where} assign_to="{names}"/>'


def _scenario(steps: Sequence[str]) -> str:
    """The file. sipp takes variables that nobody uses for slips of the pen, unless they are named in the end."""
    kept = sorted(set(",".join(re.findall(r'assign_to="([^"]+)"', "".join(steps))).split(",")) - {""})
    reference = f'  <Reference variables="{",".join(kept)}"/>\n' if kept else ""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="a peer">\n'
    return f"{head}{''.join(steps)}{reference}</scenario>\n"
