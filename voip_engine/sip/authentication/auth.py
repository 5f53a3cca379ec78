"""Digest authentication, the client's side (RFC 3261 §22, RFC 7616, RFC 8760).

```
401/407 ── parse_challenges ──► Challenge … ── DigestClient.authorize ──► Authorization / Proxy-Authorization
```
"""

from __future__ import annotations

import hashlib
import random
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from voip_engine.sip.messages.grammar import MalformedHeader, is_token, quote, split_outside_quotes, unquote
from voip_engine.sip.messages.headers import Headers

# Strongest first. hashlib's names.
_ALGORITHMS = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
_STRENGTH = {name: index for index, name in enumerate(_ALGORITHMS)}
_REMEMBERED_NONCES = 64
_STALE_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Challenge:
    """One digest challenge. Texts are without quotes; `algorithm` is in capitals except for a `-sess` at its end."""

    realm: str
    nonce: str
    opaque: str | None = None
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ()
    stale: bool = False
    proxy: bool = False
    names_algorithm: bool = True

    @property
    def supported(self) -> bool:
        """Say whether we can answer it."""
        return self.algorithm.removesuffix("-sess") in _ALGORITHMS and (
            not self.qop or "auth" in self.qop or "auth-int" in self.qop
        )


def parse_challenges(headers: Headers) -> list[Challenge]:
    """Read the digest challenges of a 401 or 407, in message order (RFC 3261 §20.44, §20.27).

    Other schemes, and challenges without realm or nonce or with broken quotes, are passed over.
    """
    challenges = []
    for name, proxy in (("WWW-Authenticate", False), ("Proxy-Authenticate", True)):
        for value in headers.get_all(name):
            for scheme, parameters in _schemes(value):
                if scheme == "digest" and (challenge := _challenge(parameters, proxy)):
                    challenges.append(challenge)
    return challenges


class DigestClient:
    """Answers challenges for one user, counting how often each nonce was used.

    Keep one for as long as its credentials hold: `authorize` may be called again with remembered challenges to spare
    a round trip. Call `accepted` when a request with an answer went through.
    """

    def __init__(self, username: str, password: str, random: random.Random) -> None:
        self._username = username
        self._password = password
        self._random = random
        self._nonces: OrderedDict[str, _NonceUse] = OrderedDict()
        self._answered: dict[tuple[bool, str], str] = {}  # nonce last answered, by (proxy, realm), not yet accepted
        self._stale_in_a_row = 0

    def may_retry(self, challenges: Sequence[Challenge]) -> bool:
        """Say whether answering can help: False when nothing is supported or the same credentials were refused already.

        A realm that challenges again has refused us, unless it calls the nonce stale (at most three times in a row)
        or the nonce we used was an older one that had served before.
        """
        chosen = _choose(challenges)
        if not chosen:
            return False
        for challenge in chosen:
            nonce = self._answered.get((challenge.proxy, challenge.realm))
            if nonce is None:
                continue
            if challenge.stale and self._stale_in_a_row < _STALE_IN_A_ROW:
                continue
            use = self._nonces.get(nonce)
            if use and use.served and nonce != challenge.nonce:
                continue
            return False
        return True

    def authorize(
        self, method: str, uri_text: str, body: bytes, challenges: Sequence[Challenge]
    ) -> list[tuple[str, str]]:
        """Answer the strongest supported challenge of every realm: header names and values to add to the request.

        `uri_text` is the Request-URI exactly as it is sent. The list is empty when no challenge is supported.
        """
        chosen = _choose(challenges)
        self._stale_in_a_row = self._stale_in_a_row + 1 if any(each.stale for each in chosen) else 0
        fields = []
        for challenge in chosen:
            self._answered[challenge.proxy, challenge.realm] = challenge.nonce
            name = "Proxy-Authorization" if challenge.proxy else "Authorization"
            fields.append((name, self._answer(method, uri_text, body, challenge)))
        return fields

    def accepted(self) -> None:
        """Note that the last answers were taken: what is challenged from now on is no refusal of them."""
        for nonce in self._answered.values():
            if nonce in self._nonces:
                self._nonces[nonce].served = True
        self._answered.clear()
        self._stale_in_a_row = 0

    def _answer(self, method: str, uri_text: str, body: bytes, challenge: Challenge) -> str:
        use = self._nonces.setdefault(challenge.nonce, _NonceUse(f"{self._random.getrandbits(128):032x}"))
        self._nonces.move_to_end(challenge.nonce)
        if len(self._nonces) > _REMEMBERED_NONCES:
            self._nonces.popitem(last=False)
        use.count += 1
        # Plain auth where offered: a body that a middlebox rewrites would break auth-int.
        qop = None if not challenge.qop else "auth" if "auth" in challenge.qop else "auth-int"
        response = digest_response(
            challenge,
            username=self._username,
            password=self._password,
            method=method,
            uri_text=uri_text,
            body=body,
            qop=qop,
            nonce_count=use.count,
            cnonce=use.cnonce,
        )
        parts = [
            f"username={quote(self._username)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(challenge.nonce)}",
            f"uri={quote(uri_text)}",
            f'response="{response}"',
        ]
        if challenge.names_algorithm:
            parts.append(f"algorithm={challenge.algorithm}")
        if challenge.opaque is not None:
            parts.append(f"opaque={quote(challenge.opaque)}")
        if qop:
            parts += [f"qop={qop}", f"nc={use.count:08x}"]
        if qop or challenge.algorithm.endswith("-sess"):
            parts.append(f'cnonce="{use.cnonce}"')
        return "Digest " + ", ".join(parts)


def digest_response(
    challenge: Challenge,
    *,
    username: str,
    password: str,
    method: str,
    uri_text: str,
    body: bytes,
    qop: str | None,
    nonce_count: int,
    cnonce: str,
) -> str:
    """Compute the `response` value in hexadecimal (RFC 7616 §3.4.1). The challenge's algorithm must be supported."""
    name = challenge.algorithm.removesuffix("-sess")

    def digest(*texts: str) -> str:
        return _digest(name, ":".join(texts).encode())

    a1 = digest(username, challenge.realm, password)
    if challenge.algorithm.endswith("-sess"):
        a1 = digest(a1, challenge.nonce, cnonce)
    a2 = digest(method, uri_text, _digest(name, body)) if qop == "auth-int" else digest(method, uri_text)
    if qop is None:
        return digest(a1, challenge.nonce, a2)
    return digest(a1, challenge.nonce, f"{nonce_count:08x}", cnonce, qop, a2)


@dataclass(slots=True)
class _NonceUse:
    """What has to stay the same, or grow, while a nonce is in use. `served`: a request with it was accepted."""

    cnonce: str
    count: int = 0
    served: bool = False


def _digest(algorithm: str, data: bytes) -> str:
    return hashlib.new(_ALGORITHMS[algorithm], data, usedforsecurity=False).hexdigest()


def _choose(challenges: Sequence[Challenge]) -> list[Challenge]:
    """Strongest supported challenge of every realm; the topmost of equals (RFC 8760 §2.4)."""
    best: dict[tuple[bool, str], Challenge] = {}
    for challenge in challenges:
        if not challenge.supported:
            continue
        key = challenge.proxy, challenge.realm
        if key not in best or _rank(challenge) < _rank(best[key]):
            best[key] = challenge
    return list(best.values())


def _rank(challenge: Challenge) -> int:
    return _STRENGTH[challenge.algorithm.removesuffix("-sess")]


def _schemes(value: str) -> list[tuple[str, dict[str, str]]]:
    """Split a header value into (scheme, parameters), both in lower case but for the values.

    SIP allows one challenge a line, HTTP several; a new one begins where a name stands before a `name=value`.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for piece in split_outside_quotes(value, ","):
        name, equals, text = piece.partition("=")
        words = name.split()
        if len(words) == 2 or (len(words) == 1 and not equals):
            found.append((words[0].lower(), {}))
        if not found or not words or not equals or not is_token(words[-1]):
            continue
        try:
            found[-1][1].setdefault(words[-1].lower(), unquote(text.strip()))
        except MalformedHeader:
            # What a broken quote swallowed is missing, and the challenge with it.
            found[-1][1].clear()
    return found


def _challenge(parameters: dict[str, str], proxy: bool) -> Challenge | None:
    if "realm" not in parameters or not parameters.get("nonce"):
        return None
    algorithm = parameters.get("algorithm", "MD5").upper()
    if algorithm.endswith("-SESS"):
        algorithm = algorithm[:-5] + "-sess"
    qop = tuple(option.strip().lower() for option in parameters.get("qop", "").split(",") if option.strip())
    return Challenge(
        realm=parameters["realm"],
        nonce=parameters["nonce"],
        opaque=parameters.get("opaque"),
        algorithm=algorithm,
        qop=qop,
        stale=parameters.get("stale", "").lower() == "true",
        proxy=proxy,
        names_algorithm="algorithm" in parameters,
    )
