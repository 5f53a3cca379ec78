"""Addresses that the operator types: made whole, checked in plain words, and remembered for the next time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from voip_engine.secret import PASSWORD_IN_ADDRESS, holds_password

KEPT = 50
ADDRESS_SCHEMES = ("sip:", "sips:")

logger = logging.getLogger(__name__)


class AddressError(ValueError):
    """What was typed cannot be dialled; the text says why and what would do."""


def complete_address(typed: str, account: str | None = None) -> str:
    """The whole SIP URI for what was typed.

    A scheme is added where it is missing. A number or a name alone is looked for at the account's provider. Raises
    AddressError. What is left to judge (ports, escapes, whether the host exists) the engine judges.
    """
    text = typed.strip()
    if not text:
        raise AddressError("Type an address, such as sip:bob@192.0.2.7:5060.")
    if holds_password(text):
        raise AddressError(PASSWORD_IN_ADDRESS)
    scheme, rest = "sip:", text
    for known in ADDRESS_SCHEMES:
        if text.lower().startswith(known):
            scheme, rest = known, text[len(known) :]
    if not rest:
        raise AddressError("The address ends after its scheme.")
    if any(letter.isspace() for letter in rest) and "@" in rest:
        raise AddressError("An address has no spaces.")
    user, at, host = rest.rpartition("@")
    if at and not host:
        raise AddressError("There is no host after the @.")
    if at and not user:
        raise AddressError("There is no name before the @.")
    if at or looks_like_host(rest):
        return scheme + rest
    if account is None:
        raise AddressError(f"“{text}” has no host. Type {text}@host, or choose an account to call it from.")
    home = account.split(":", 1)[-1].rpartition("@")[2].split(";", 1)[0]
    number = "".join(letter for letter in rest if letter not in " -/().") if is_number(rest) else rest
    return f"{scheme}{number}@{home}"


def is_number(text: str) -> bool:
    """Whether this is a telephone number, however it is spaced."""
    digits = [letter for letter in text if letter not in " -/()."]
    return bool(digits) and all(letter.isdigit() or letter in "+*#" for letter in digits)


def looks_like_host(text: str) -> bool:
    """Whether this alone is a host, with or without a port: an address, a name with dots, `localhost`."""
    host = text.split(";", 1)[0]
    if host.startswith("["):
        return True
    name, _, port = host.partition(":")
    if port and not port.isdigit():
        return False
    return name == "localhost" or (("." in name or bool(port)) and not (is_number(name) and name.count(".") != 3))


@dataclass(slots=True)
class Dialled:
    """The addresses dialled lately, the latest first, kept in a file that only its owner can read."""

    file: Path | None
    addresses: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path | None) -> Dialled:
        """What the file remembers; nothing when there is none or it cannot be read."""
        if file is None or not file.exists():
            return cls(file)
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            logger.warning("Cannot read the dialled addresses in %s: %s", file, error)
            return cls(file)
        return cls(file, [line for line in lines if line and line.isprintable() and not holds_password(line)][:KEPT])

    def remember(self, address: str) -> None:
        """Put an address on top; one with a password is kept nowhere."""
        if holds_password(address):
            return
        self.addresses = [address, *(known for known in self.addresses if known != address)][:KEPT]
        if self.file is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.file.touch(mode=0o600)
            self.file.write_text("\n".join(self.addresses) + "\n", encoding="utf-8")
        except OSError as error:
            logger.warning("Cannot keep the dialled addresses in %s: %s", self.file, error)
