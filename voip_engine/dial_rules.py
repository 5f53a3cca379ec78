"""Who may be called: allow and deny patterns for people, agents, redirects and transfers alike.

```
SipUri ──► reading: numbers and names it may be taken for, hosts it may lead to ──► deny (any) ──► allow (all)
```
Whoever gets the request may read an address otherwise than it looks: numbers without their visual separators (RFC 3966
§5.1.1), escapes twice, a `phone-context` in front of the number (§5.1.5), the routing number of RFC 4694, a user with all its
parameters as one name, `maddr` for the host (RFC 3261 §19.1.1). An address is called only if no reading of it is denied and
every one is allowed. One that holds a parameter twice is not: who takes the first of them and who the last is anybody's guess.

A carrier may take `0049…` or `49…` for `+49…`, and a PBX may know prefixes of its own, which no rule here can: what must not be
called is safe behind a short `allow`, not behind a long `deny`.
"""

from __future__ import annotations

from voip_engine.dial_patterns import Pattern, Reading, bare, folded, is_number, one_host, without_scheme
from voip_engine.network_settings import DiallingSettings
from voip_engine.sip.messages.uri import SipUri

_SHOWN_CHARACTERS = 80


class DialRules:
    """The patterns of [dialling]. Holds no state: how many calls and minutes is for `DialLimits`."""

    def __init__(self, settings: DiallingSettings) -> None:
        self._allow = tuple(Pattern.of(text) for text in settings.allow)
        self._deny = tuple(Pattern.of(text) for text in settings.deny)
        self._transfer = tuple(Pattern.of(text) for text in settings.transfer)
        self._redirect = tuple(Pattern.of(text) for text in settings.redirect)
        self._anything_goes = "*" in settings.allow and not settings.deny

    def check(self, uri: SipUri) -> str | None:
        """Return in plain words why an address may not be called, None if it may."""
        if uri.scheme not in ("sip", "sips", "tel"):
            return f"Only sip:, sips: and tel: addresses can be called, not {uri.scheme[:20]}:."
        if self._anything_goes:
            return None
        shown = _shown(uri)
        try:
            readings = _readings(uri)
        except ValueError as error:
            return f"{shown} is not called: {error}."
        for pattern in self._deny:
            if any(pattern.covers_loosely(reading) for reading in readings):
                return f"{shown} may not be called: {pattern.text!r} stands in deny of [dialling]."
        if not all(any(pattern.covers(reading) for pattern in self._allow) for reading in readings):
            return f"{shown} may not be called: nothing in allow of [dialling] covers it."
        return None

    def check_transfer(self, uri: SipUri) -> str | None:
        """Return in plain words why the other side of a call may not send us to an address, None if it may."""
        if not self._transfer:
            return "The other side may send us nowhere: transfer of [dialling] is empty."
        shown = _shown(uri)
        try:
            readings = _readings(uri)
        except ValueError as error:
            return f"{shown} is not called: {error}."
        if not all(any(pattern.covers(reading) for pattern in self._transfer) for reading in readings):
            return f"The other side may not send us to {shown}: nothing in transfer of [dialling] covers it."
        return self.check(uri)

    def check_redirect(self, dialled: SipUri, uri: SipUri) -> str | None:
        """Return in plain words why a call to `dialled` may not go on to an address, None if it may.

        To whom was dialled it may, by whatever port and transport but out of TLS; elsewhere `redirect` has to say so.
        """
        shown = _shown(uri)
        try:
            readings = _readings(uri)
            same = _is_same(dialled, uri) and set(readings) <= set(_readings(dialled))
        except ValueError as error:
            return f"{shown} is not called: {error}."
        if not same and not all(any(pattern.covers(reading) for pattern in self._redirect) for reading in readings):
            return f"Calls may not be sent on to {shown}: nothing in redirect of [dialling] covers it."
        return self.check(uri)


def _is_same(dialled: SipUri, uri: SipUri) -> bool:
    """Whether the user is the same, as it stands there, and TLS is not left."""
    same_user = bare((uri.user or "").lower()) == bare((dialled.user or "").lower())
    return same_user and (_is_secure(uri) or not _is_secure(dialled))


def _is_secure(uri: SipUri) -> bool:
    return uri.scheme == "sips" or (uri.parameter("transport") or "").lower() == "tls"


def _readings(uri: SipUri) -> list[Reading]:
    """Return every way to understand an address. Raises ValueError, in plain words, for one that only hides what it is."""
    if uri.password is not None:
        raise ValueError("an address that is called holds no password")
    whole = without_scheme(folded(uri.user or ""))
    number, *parameters = whole.split(";")
    in_user = _by_name([(name, value) for name, _, value in (text.partition("=") for text in parameters)])
    in_address = _by_name([(folded(name), folded(value or "")) for name, value in uri.parameters])
    users = [number]
    if parameters:
        users.append(whole)  # not every server cuts the user there

    def values(name: str) -> list[str]:
        return [named[name] for named in (in_user, in_address) if named.get(name)]

    users += _with_contexts(number, values("phone-context"))
    for routing in values("rn"):
        users += [routing, *_with_contexts(routing, values("rn-context"))]
    hosts = [uri.host, *([in_address["maddr"]] if "maddr" in in_address else [])]
    return [Reading.of(user, one_host(host)) for user in users for host in hosts]


def _by_name(parameters: list[tuple[str, str]]) -> dict[str, str]:
    """Parameters by their names, of which each may stand there once (RFC 3261 §19.1.1, RFC 3966 §3)."""
    named = {name.strip(): value for name, value in parameters}
    if len(named) < len(parameters):
        raise ValueError("an address that is called holds no parameter twice")
    return named


def _with_contexts(local: str, contexts: list[str]) -> list[str]:
    """The numbers that contexts make of a local one (RFC 3966 §5.1.5); those that are domains make none."""
    if local.startswith("+"):
        return []
    return [context + local for context in contexts if context.startswith("+") or is_number(context)]


def _shown(uri: SipUri) -> str:
    """An address as people read it: no parameters, no headers, not without end."""
    text = f"{uri.scheme}:{uri.user or ''}{'@' if uri.user and uri.host else ''}{uri.host}"
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable if len(printable) <= _SHOWN_CHARACTERS else f"{printable[:_SHOWN_CHARACTERS]}…"
