"""The credentials that one request, repeated as often as it is challenged, goes out with (RFC 3261 §22)."""

from __future__ import annotations

from voip_engine.sip.authentication.auth import Challenge, DigestClient, parse_challenges
from voip_engine.sip.messages.message import Request, Response

MAX_CHALLENGES = 5
"""How many challenges in a row are answered: a chain of proxies may each ask once, and a nonce may be stale."""


class Credentials:
    """Challenges met so far. Without `digest` (no account, no password) none can be answered."""

    def __init__(self, digest: DigestClient | None) -> None:
        self._digest = digest
        self._challenges: dict[tuple[bool, str], list[Challenge]] = {}
        self._in_a_row = 0

    def learn(self, response: Response) -> bool:
        """Take the challenges of a 401 or 407; False when sending the request again would be pointless."""
        challenges = parse_challenges(response.headers)
        self._in_a_row += 1
        if self._digest is None or self._in_a_row > MAX_CHALLENGES or not self._digest.may_retry(challenges):
            return False
        fresh: dict[tuple[bool, str], list[Challenge]] = {}
        for challenge in challenges:
            fresh.setdefault((challenge.proxy, challenge.realm), []).append(challenge)
        self._challenges |= fresh
        return True

    def sign(self, request: Request) -> None:
        """Put answers to all challenges met so far on a request, in place of older ones."""
        request.headers.remove("Authorization")
        request.headers.remove("Proxy-Authorization")
        if self._digest is None or not self._challenges:
            return
        challenges = [challenge for realm in self._challenges.values() for challenge in realm]
        for name, value in self._digest.authorize(request.method, request.uri.serialize(), request.body, challenges):
            request.headers.add(name, value)

    def again(self, request: Request, response: Response, cseq: int) -> Request | None:
        """Return a challenged request with credentials and a new CSeq number, None when that would be pointless."""
        if not self.learn(response):
            return None
        again = Request(request.method, request.uri, request.headers.copy(), request.body)
        again.headers.set("CSeq", f"{cseq} {request.method}")
        self.sign(again)
        return again

    def accepted(self) -> None:
        """Note that the request went through."""
        self._in_a_row = 0
        if self._digest is not None:
            self._digest.accepted()
