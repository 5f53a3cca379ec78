from __future__ import annotations

import stat
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.still_dialogue import booking, said
from support.still_engine import NOON, call
from support.still_trace import trace_of

from voip_engine.snapshots import LineState
from voip_tui.transcripts import save, transcript


def test_who_said_what_and_when() -> None:
    ada = booking(said(9, state=LineState.HEARING, ago_s=1))
    lines = transcript(ada, ada.dialogue).splitlines()
    assert lines[0] == "Ada Lovelace  ada@198.51.100.1:5060"
    assert lines[3] == "    0:07  Caller  Good evening, I would like to book a table for tomorrow."
    assert lines[6].endswith("at half past seven,[ or one in the garden at eight, if the weather stays as it is.]")
    assert len(lines) == 3 + 8


def test_what_was_lost_stands_in_its_place_and_the_called_is_no_caller() -> None:
    lost = said(1, state=LineState.LOST, detail="The machine is behind.")
    text = transcript(call(1, "Ada", outbound=True), (lost,))
    assert "Callee  (The machine is behind.)" in text


def test_the_file_is_its_owners_alone_and_its_name_harmless(tmp_path: Path) -> None:
    file = save(tmp_path, replace(booking(), peer_name="../../etc/Ada"), booking().dialogue, NOON)
    assert file.parent == tmp_path
    assert file.name.startswith("dialogue-etc-Ada-")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "book a table" in file.read_text(encoding="utf-8")


def test_sip_messages_follow_the_dialogue_without_secrets(tmp_path: Path) -> None:
    file = save(tmp_path, booking(), booking().dialogue, NOON, trace_of(booking()))
    text = file.read_text(encoding="utf-8")
    assert text.index("book a table") < text.index("INVITE sip:desk@192.0.2.10 SIP/2.0")
    assert "198.51.100.1:5060 to us over UDP, again" in text
    assert "a=crypto:1 AES_CM_128_HMAC_SHA1_80 (not kept)" in text
    assert not any(secret in text for secret in ("f84f1cec", "42ce3cef", "inline:"))


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        save(tmp_path / "gone", booking(), (), NOON)


def test_what_is_saved_again_unchanged_makes_no_second_file(tmp_path: Path) -> None:
    first = save(tmp_path, booking(), booking().dialogue, NOON, trace_of(booking()))
    assert save(tmp_path, booking(), booking().dialogue, NOON + 60, trace_of(booking())) == first
    assert list(tmp_path.iterdir()) == [first]
    more = save(tmp_path, booking(), booking().dialogue[:-1], NOON + 60, trace_of(booking()))
    assert sorted(tmp_path.iterdir()) == sorted([first, more])
