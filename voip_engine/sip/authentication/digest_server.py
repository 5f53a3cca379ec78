"""Digest authentication, the server's side (RFC 3261 §22, RFC 7616): nonces that need no memory until they serve.

nonce = base64url( time issued, ms (8) | salt (8) | HMAC-SHA-256(key, time | salt | source) cut to 16 )
"""

from __future__ import annotations

import hmac
from base64 import b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from random import Random

from voip_engine.sip.authentication.auth import Challenge, digest_response
from voip_engine.sip.messages.grammar import MalformedHeader, quote, split_outside_quotes, unquote
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.uri import SipUri

NONCE_LIFE_S = 120.0
"""How long a nonce may be used for new requests; later ones are told that it is stale."""
NONCES = 4_096
"""How many nonces in use are remembered. The oldest is forgotten first and with it all that were issued before it."""
COUNT_WINDOW = 64
"""How far behind the highest nonce count one may come that has not come yet: datagrams overtake each other."""
ALGORITHM = "MD5"
"""The only one offered: phones that don't know SHA-256 give up when a second challenge names it (baresip 1.0), though RFC 8760
wants them to pass it over. Nonces that serve once keep answers from being used again either way.
"""
_TIME_BYTES = 8
_SALT_BYTES = 8
_MAC_BYTES = 16
_COUNT_LIMIT = 2**32 - 1


class Verdict(Enum):
    """What credentials are worth."""

    GOOD = "good"
    ABSENT = "absent"
    STALE = "stale"
    """Right or not: their nonce has served its time, or this count of it was used. To be challenged with stale=true."""
    BAD = "bad"


@dataclass(slots=True)
class _Use:
    """The counts of one nonce that have come: the highest, and a bit for each of the window below it."""

    issued_ms: int
    highest: int = 0
    seen: int = 0

    def take(self, count: int) -> bool:
        """Note a count; False if it came before, or may have."""
        # Shifted by no more than the window: a count of four thousand million would make half a gigabyte of it.
        if count > self.highest:
            self.seen = ((self.seen << min(count - self.highest, COUNT_WINDOW)) | 1) & ((1 << COUNT_WINDOW) - 1)
            self.highest = count
            return True
        if self.highest - count >= COUNT_WINDOW:
            return False
        bit = 1 << (self.highest - count)
        if self.seen & bit:
            return False
        self.seen |= bit
        return True


class DigestServer:
    """Challenges requests and checks the credentials of `users`, passwords by name."""

    def __init__(self, users: Mapping[str, str], realm: str, random: Random, *, nonces: int = NONCES) -> None:
        self._users = dict(users)
        self._realm = realm
        self._random = random
        self._key = random.randbytes(32)
        self._nobody = random.randbytes(16).hex()
        self._nonces = nonces
        self._uses: OrderedDict[str, _Use] = OrderedDict()
        self._forgotten_ms = -1
        """No nonce issued up to then is good any more, unless it is among `_uses`."""

    def challenge(self, source: str, now: float, *, stale: bool = False) -> tuple[tuple[str, str], ...]:
        """Return the headers of a 401 for one source; a nonce is good for that source only. `now` is in seconds."""
        nonce = self._nonce(int(now * 1000), self._random.randbytes(_SALT_BYTES), source)
        suffix = ", stale=true" if stale else ""
        challenge = f'Digest realm={quote(self._realm)}, nonce="{nonce}", algorithm={ALGORITHM}, qop="auth"{suffix}'
        return (("WWW-Authenticate", challenge),)

    def check(self, request: Request, source: str, now: float) -> Verdict:
        """Judge a request's credentials for our realm. Good ones are good once: a nonce count never serves twice."""
        for value in request.headers.get_all("Authorization"):
            parameters = _parameters(value)
            if parameters.get("realm") == self._realm:
                return self._judge(parameters, request, source, now)
        return Verdict.ABSENT

    def _judge(self, given: Mapping[str, str], request: Request, source: str, now: float) -> Verdict:
        nonce = given.get("nonce", "")
        issued_ms = self._issued_ms(nonce, source)
        if issued_ms is None:
            # Of another source, of an earlier start of ours, or made up. Only who has a nonce of ours can be wrong: with a
            # source that is forged, too, nobody else makes that source guess.
            return Verdict.STALE
        count = _count(given.get("nc", ""))
        if (
            given.get("algorithm", ALGORITHM).upper() != ALGORITHM
            or given.get("qop", "").lower() != "auth"
            or count is None
        ):
            return Verdict.BAD
        password = self._users.get(given.get("username", ""))
        expected = digest_response(
            Challenge(self._realm, nonce, algorithm=ALGORITHM, qop=("auth",)),
            username=given.get("username", ""),
            password=self._nobody if password is None else password,
            method=request.method,
            uri_text=given.get("uri", ""),
            body=b"",
            qop="auth",
            nonce_count=count,
            cnonce=given.get("cnonce", ""),
        )
        right = hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode())
        if not right or password is None or not _is_about(given.get("uri", ""), request.uri):
            return Verdict.BAD
        if now - issued_ms / 1000 > NONCE_LIFE_S or not self._take(nonce, issued_ms, count):
            return Verdict.STALE
        return Verdict.GOOD

    def _take(self, nonce: str, issued_ms: int, count: int) -> bool:
        use = self._uses.get(nonce)
        if use is None:
            if issued_ms <= self._forgotten_ms:
                return False
            use = self._uses[nonce] = _Use(issued_ms)
            if len(self._uses) > self._nonces:
                oldest = min(self._uses, key=lambda each: self._uses[each].issued_ms)
                self._forgotten_ms = max(self._forgotten_ms, self._uses.pop(oldest).issued_ms)
        return use.take(count)

    def _nonce(self, issued_ms: int, salt: bytes, source: str) -> str:
        head = issued_ms.to_bytes(_TIME_BYTES, "big") + salt
        return urlsafe_b64encode(head + self._mac(head, source)).decode()

    def _issued_ms(self, nonce: str, source: str) -> int | None:
        """When we issued a nonce, None if we did not, or to somebody else."""
        try:
            whole = b64decode(nonce.encode(), altchars=b"-_", validate=True)
        except ValueError:
            return None
        head = whole[: _TIME_BYTES + _SALT_BYTES]
        if not hmac.compare_digest(self._mac(head, source), whole[len(head) :]):
            return None
        return int.from_bytes(head[:_TIME_BYTES], "big")

    def _mac(self, head: bytes, source: str) -> bytes:
        return hmac.digest(self._key, head + source.encode(), "sha256")[:_MAC_BYTES]


def _parameters(value: str) -> dict[str, str]:
    """The parameters of Digest credentials; nothing of any other scheme, or of what is broken."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return {}
    found: dict[str, str] = {}
    for piece in split_outside_quotes(rest, ","):
        name, _, text = piece.partition("=")
        try:
            # One that stands there twice is read one way here and another way elsewhere.
            if found.setdefault(name.strip().lower(), parsed := unquote(text.strip())) != parsed:
                return {}
        except MalformedHeader:
            return {}
    return found


def _count(text: str) -> int | None:
    try:
        count = int(text, 16) if len(text) == 8 and text.isalnum() else 0
    except ValueError:
        return None
    return count if 0 < count <= _COUNT_LIMIT else None


def _is_about(uri_text: str, uri: SipUri) -> bool:
    """Whether credentials are for this Request-URI: phones leave parameters out, so user and host have to do."""
    try:
        signed = SipUri.parse(uri_text)
    except MalformedHeader:
        return False
    return (signed.user, signed.host.lower()) == (uri.user, uri.host.lower())
