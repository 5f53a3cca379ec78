"""The credentials that one request, repeated as often as it is challenged, goes out with (RFC 3261 §22)."""

from __future__ import annotations

from voip_engine.sip.authentication.askers import Askers
from voip_engine.sip.authentication.auth import Challenge, DigestClient, parse_challenges
from voip_engine.sip.flow import Flow, NextHop
from voip_engine.sip.messages.message import Request, Response

MAX_CHALLENGES = 5
"""How many challenges in a row are answered: a chain of proxies may each ask once, and a nonce may be stale."""


class Credentials:
    """Challenges met so far. Without `digest` (no account, no password) none can be answered; `askers` says whose are."""

    def __init__(self, digest: DigestClient | None, askers: Askers) -> None:
        self._digest = digest
        self._askers = askers
        self._challenges: dict[tuple[bool, str], list[Challenge]] = {}
        self._in_a_row = 0

    def _learn(self, request: Request, response: Response, hop: NextHop, flow: Flow, now: float) -> bool:
        challenges = parse_challenges(response.headers)
        if not (self._askers.leads_to_server(hop, now) or self._askers.is_server(flow.remote_host, now)):
            return False
        if request.to.tag is not None:
            challenges = [challenge for challenge in challenges if self._askers.knows(challenge.realm)]
        self._in_a_row += 1
        if self._digest is None or self._in_a_row > MAX_CHALLENGES or not self._digest.may_retry(challenges):
            return False
        fresh: dict[tuple[bool, str], list[Challenge]] = {}
        for challenge in challenges:
            fresh.setdefault((challenge.proxy, challenge.realm), []).append(challenge)
            self._askers.met(challenge.realm)
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

    def again(
        self, request: Request, response: Response, cseq: int, *, hop: NextHop, flow: Flow, now: float
    ) -> Request | None:
        """Return a request with credentials and a new CSeq number, None when that would be pointless or unwise.

        It went to `hop`, and its 401 or 407 came by `flow`.
        """
        if not self._learn(request, response, hop, flow, now):
            return None
        again = Request(request.method, request.uri, request.headers.copy(), request.body)
        again.headers.set("CSeq", f"{cseq} {request.method}")
        self.sign(again)
        return again

    def may_go_to(self, hop: NextHop, now: float) -> bool:
        """Whether what goes there may carry credentials that somebody else asked for."""
        return self._askers.leads_to_server(hop, now)

    def accepted(self) -> None:
        """Note that the request went through."""
        self._in_a_row = 0
        if self._digest is not None:
            self._digest.accepted()
