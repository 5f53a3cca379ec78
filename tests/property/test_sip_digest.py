"""What holds for every digest answer: a server that knows the password comes to the same response."""

from __future__ import annotations

import hashlib
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from voip_engine.sip.authentication.auth import DigestClient, parse_challenges
from voip_engine.sip.messages.grammar import quote, split_outside_quotes, unquote
from voip_engine.sip.messages.headers import Headers

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)
names = texts.filter(lambda text: text != "")
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def server_response(given: dict[str, str], algorithm: str, password: str, method: str, body: bytes) -> str:
    """RFC 7616 §3.4.1 as a server computes it, from what the client sent."""
    name = HASHES[algorithm.upper().removesuffix("-SESS")]

    def digest(data: bytes) -> str:
        return hashlib.new(name, data).hexdigest()

    secret = digest(f"{given['username']}:{given['realm']}:{password}".encode())
    if algorithm.lower().endswith("-sess"):
        secret = digest(f"{secret}:{given['nonce']}:{given['cnonce']}".encode())
    asked = f"{method}:{given['uri']}"
    if given.get("qop") == "auth-int":
        asked += f":{digest(body)}"
    middle = [given["nonce"]]
    if "qop" in given:
        middle += [given["nc"], given["cnonce"], given["qop"]]
    return digest(":".join([secret, *middle, digest(asked.encode())]).encode())


@given(
    username=names,
    password=texts,
    realm=texts,
    nonce=names,
    opaque=st.none() | texts,
    algorithm=st.none() | st.sampled_from([f"{name}{tail}" for name in HASHES for tail in ("", "-sess", "-SESS")]),
    qop=st.sampled_from([None, "auth", "auth-int", "auth,auth-int", "AUTH , token"]),
    body=st.binary(max_size=30),
    proxy=st.booleans(),
    uses=st.integers(1, 3),
)
@settings(deadline=None)
def test_a_server_comes_to_the_same_response(
    username: str,
    password: str,
    realm: str,
    nonce: str,
    opaque: str | None,
    algorithm: str | None,
    qop: str | None,
    body: bytes,
    proxy: bool,
    uses: int,
) -> None:
    parts = [f"realm={quote(realm)}", f"nonce={quote(nonce)}"]
    parts += [f"opaque={quote(opaque)}"] if opaque is not None else []
    parts += [f"algorithm={algorithm}"] if algorithm is not None else []
    parts += [f'qop="{qop}"'] if qop is not None else []
    name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
    challenges = parse_challenges(Headers([(name, "Digest " + ", ".join(parts))]))
    client = DigestClient(username, password, random.Random(7616))
    for use in range(1, uses + 1):
        [(header, value)] = client.authorize("INVITE", "sip:x@example.com", body, challenges)
        assert header == ("Proxy-Authorization" if proxy else "Authorization")
        pairs = (piece.partition("=") for piece in split_outside_quotes(value.removeprefix("Digest "), ","))
        sent = {key: unquote(text) for key, _, text in pairs}
        assert sent["response"] == server_response(sent, algorithm or "MD5", password, "INVITE", body)
        assert (sent["username"], sent["realm"], sent["nonce"]) == (username, realm, nonce)
        assert sent.get("opaque") == opaque
        assert ("algorithm" in sent) == (algorithm is not None)
        assert sent.get("nc") == (None if qop is None else f"{use:08x}")
        assert not client.may_retry(challenges)
