"""What of a call is encrypted, as a sign, a word and a colour."""

from __future__ import annotations

from dataclasses import dataclass

from voip_engine.snapshots import CallSnapshot
from voip_tui import words

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": "AES-128",
    "AES_CM_128_HMAC_SHA1_32": "AES-128, short tags",
    "AES_256_CM_HMAC_SHA1_80": "AES-256",
    "AES_256_CM_HMAC_SHA1_32": "AES-256, short tags",
}


@dataclass(frozen=True, slots=True)
class Protection:
    """`role` names a colour of the palette; `detail` is the whole story in a few words."""

    sign: str
    word: str
    role: str
    detail: str


def protection(call: CallSnapshot) -> Protection:
    """How safe the call's audio is from those on the way."""
    security = call.security
    suite = SUITES.get(security.suite, words.clean(security.suite))
    if security.keys_in_clear:
        return Protection("◇", "keys in clear", "fair", f"{suite}, keys in clear")
    if security.suite:
        return Protection("◆", "encrypted", "text", f"{suite}, keys by TLS")
    return Protection(" ", "", "muted", "none, audio in clear")
