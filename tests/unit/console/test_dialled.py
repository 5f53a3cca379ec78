from __future__ import annotations

import stat
from pathlib import Path

import pytest

from voip_tui.dialled import KEPT, AddressError, Dialled, complete_address

ACCOUNT = "sip:alice@pbx.example;transport=tcp"


@pytest.mark.parametrize(
    ("typed", "account", "whole"),
    [
        ("sip:bob@192.0.2.7:5060", None, "sip:bob@192.0.2.7:5060"),
        (" SIPS:bob@example.org ", None, "sips:bob@example.org"),
        ("bob@example.org", None, "sip:bob@example.org"),
        ("bob@example.org", ACCOUNT, "sip:bob@example.org"),
        ("192.0.2.7:5080", None, "sip:192.0.2.7:5080"),
        ("[2001:db8::7]", None, "sip:[2001:db8::7]"),
        ("localhost", None, "sip:localhost"),
        ("100", ACCOUNT, "sip:100@pbx.example"),
        ("+49 30 / 1234-5", ACCOUNT, "sip:+493012345@pbx.example"),
        ("bob", ACCOUNT, "sip:bob@pbx.example"),
        ("*43#", ACCOUNT, "sip:*43#@pbx.example"),
    ],
)
def test_addresses_are_made_whole(typed: str, account: str | None, whole: str) -> None:
    assert complete_address(typed, account) == whole


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "Type an address"),
        ("sip:", "ends after its scheme"),
        ("bob@", "no host after the @"),
        ("@example.org", "no name before the @"),
        ("bob smith@example.org", "no spaces"),
        ("bob", "has no host"),
        ("100", "has no host"),
    ],
)
def test_what_cannot_be_dialled_is_said_in_plain_words(typed: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason):
        complete_address(typed)


def test_addresses_are_remembered_for_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "state" / "dialled"
    dialled = Dialled.load(file)
    for number in range(KEPT + 5):
        dialled.remember(f"sip:{number}@pbx.example")
    dialled.remember("sip:7@pbx.example")
    again = Dialled.load(file)
    assert again.addresses == dialled.addresses
    assert again.addresses[0] == "sip:7@pbx.example"
    assert len(again.addresses) == len(set(again.addresses)) == KEPT
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_is_none_is_no_reason_to_fail(tmp_path: Path) -> None:
    file = tmp_path / "dialled"
    file.write_bytes(b"\xff\xfe\x00")
    assert Dialled.load(file).addresses == []
    file.write_text("sip:bob@example.org\nsip:\x1b[2J@evil.example\n\n")
    assert Dialled.load(file).addresses == ["sip:bob@example.org"]


@pytest.mark.parametrize("typed", ["sip:bob:PIN4711@192.0.2.7", "bob:PIN4711@example.org"])
def test_a_password_in_an_address_is_refused_and_never_kept(typed: str, tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="holds no password") as refused:
        complete_address(typed)
    assert "PIN4711" not in str(refused.value)
    file = tmp_path / "dialled"
    file.write_text(f"{typed}\nsip:ada@example.org\n")
    dialled = Dialled.load(file)
    assert dialled.addresses == ["sip:ada@example.org"]
    dialled.remember(typed)
    dialled.remember("sip:grace@example.org")
    assert "PIN4711" not in file.read_text()
