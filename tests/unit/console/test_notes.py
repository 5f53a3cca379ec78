"""What networks bring, in words: who is really there, who holds, what is encrypted, how a transfer goes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.still_engine import NOON, REGISTERED, call, encrypted, figures, network_day, transferring

from voip_engine.events import (
    CallEnded,
    CallReferred,
    CallRefused,
    CallTransferring,
    MediaChanged,
    MediaChangeRefused,
    RequestTurnedAway,
    VoicemailChanged,
)
from voip_engine.snapshots import CallState, Holder, MediaChange, TransferSnapshot, TransferState, VoicemailSnapshot
from voip_tui import words
from voip_tui.app import notable
from voip_tui.happenings import log_line
from voip_tui.security import protection
from voip_tui.widgets.notes import notes_of

ADA = call(1, "Ada Lovelace")


def notes(shown: object) -> list[str]:
    return [text for text, _ in notes_of(shown)]


def test_an_ordinary_call_has_no_notes() -> None:
    assert notes(ADA) == []


def test_who_holds_while_something_is_played_learns_who_hears_it() -> None:
    assert notes(replace(ADA, held_by=Holder.US)) == ["what we play is heard there, as music on hold"]
    for holder in (Holder.THEM, Holder.BOTH):
        assert notes(replace(ADA, held_by=holder)) == ["what we play waits: nothing is sent"]
    assert notes(replace(ADA, held_by=Holder.US, mode="silence")) == []


def test_who_is_gone_is_said_with_the_reason_where_it_is_another_one() -> None:
    over = replace(ADA, state=CallState.ENDED, end_reason="The other side hung up.")
    assert words.gone(over) == "Ada Lovelace has hung up."
    assert words.gone(replace(over, end_reason="No audio.")) == "The call with Ada Lovelace is over: No audio."


def test_what_the_network_says_goes_before_what_a_caller_says_of_itself() -> None:
    known = replace(ADA, asserted_uri="sip:+49301234@pbx.example")
    assert words.peer(known) == "+49301234"
    assert notes(known) == ["identified by the network, calls itself Ada Lovelace"]
    named = replace(known, asserted_name="Ada King")
    assert words.peer(named) == "Ada King"


def test_a_name_is_kept_where_the_network_confirms_its_number() -> None:
    known = replace(ADA, asserted_uri="sip:ada@pbx.example")
    assert words.peer(known) == "Ada Lovelace"
    assert notes(known) == ["identified by the network"]


@pytest.mark.parametrize(
    ("holder", "short", "whole"),
    [
        (Holder.NOBODY, "connected", "connected"),
        (Holder.US, "on hold", "on hold by us"),
        (Holder.THEM, "they hold", "on hold by them"),
        (Holder.BOTH, "both hold", "on hold by both"),
    ],
)
def test_who_holds_is_said(holder: Holder, short: str, whole: str) -> None:
    held = replace(ADA, held_by=holder)
    assert (words.state(held), words.state(held, whole=True)) == (short, whole)


@pytest.mark.parametrize(
    ("state", "text", "shown"),
    [
        (TransferState.ASKED, "→ asked to call sales@pbx.example, no reply yet", "transfer"),
        (TransferState.TRYING, "→ calling sales@pbx.example", "transfer"),
        (TransferState.RINGING, "→ sales@pbx.example rings", "transfer"),
        (TransferState.DONE, "→ transferred to sales@pbx.example", "connected"),
        (TransferState.FAILED, "→ not transferred to sales@pbx.example: Busy (486).", "connected"),
    ],
)
def test_how_a_transfer_goes_is_said(state: TransferState, text: str, shown: str) -> None:
    sent = transferring(ADA, state, "Busy (486)." if state is TransferState.FAILED else "")
    assert notes(sent) == [text]
    assert words.state(sent) == shown


def test_nothing_that_a_transfer_brings_controls_the_terminal() -> None:
    hostile = TransferSnapshot(target="sip:\x1b[2J@x", state=TransferState.FAILED, detail="\x1b[2J")
    assert words.transfer(hostile).isprintable()
    sent = replace(ADA, asserted_uri="sip:\x07@x", asserted_name="\x1b", referred_by="sip:\x1b@x")
    assert all(text.isprintable() for text in notes(sent))


def test_encryption_with_keys_in_clear_is_a_warning_and_none_is_no_sign() -> None:
    safe, half, plain = (protection(shown) for shown in (encrypted(ADA), encrypted(ADA, tls=False), ADA))
    assert (safe.sign, safe.word, safe.role) == ("◆", "encrypted", "text")
    assert (half.sign, half.word, half.role) == ("◇", "keys in clear", "fair")
    assert (plain.sign.strip(), plain.word) == ("", "")
    assert "AES-128" in safe.detail


def test_early_media_and_who_sent_a_call_are_noted() -> None:
    shown = {shown.peer_name: notes(shown) for shown in network_day()}
    assert shown["Edsger Dijkstra"] == ["early media is heard"]
    ringing = next(shown for shown in network_day() if shown.early_media)
    assert notes(replace(ringing, media=figures(-100, -100, packets=0))) == []  # agreed on, but nothing comes
    assert shown["Hedy Lamarr"] == ["sent here by grace@198.51.100.2"]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (MediaChanged(NOON, "1", None, True, Holder.US), "We hold the call"),
        (MediaChanged(NOON, "1", None, True, Holder.THEM), "Caller holds the call"),
        (MediaChanged(NOON, "1", None, True, Holder.BOTH), "Both sides hold the call"),
        (RequestTurnedAway(NOON, "198.51.100.9", "it is not admitted"), "Turned 198.51.100.9 away: it is not admitted"),
        (CallRefused(NOON, "sip:ada@x", 488, "No codec."), "Refused a call of ada@x (488): No codec."),
        (MediaChangeRefused(NOON, "1", "Busy (486)."), "The other side refused the change: Busy (486)."),
        (MediaChangeRefused(NOON, "1", "no.", "local", MediaChange.HOLD), "Could not hold the call: no."),
        (MediaChangeRefused(NOON, "1", "no.", "local", MediaChange.RESUME), "Could not resume the call: no."),
        (MediaChangeRefused(NOON, "1", "no.", "local"), "Could not change the call: no."),
    ],
)
def test_the_log_says_it_in_a_sentence(event: object, text: str) -> None:
    assert log_line(event).text == text


@pytest.mark.parametrize(
    ("event", "text", "severity"),
    [
        (
            CallTransferring(NOON, "1", TransferSnapshot(target="sip:bob@x", state=TransferState.DONE)),
            "Transferred to bob@x.",
            "information",
        ),
        (CallReferred(NOON, "1", "sip:bob@x"), "Sends us to bob@x.", "information"),
        (
            MediaChangeRefused(NOON, "1", "no.", "local", MediaChange.CODECS),
            "Could not change the codec: no.",
            "warning",
        ),
        (CallReferred(NOON, "1", "sip:bob@x", "It is forbidden."), "to bob@x, refused: It is forbidden.", "warning"),
        (
            VoicemailChanged(NOON, REGISTERED.account, VoicemailSnapshot(waiting=True, new=2)),
            "desk@pbx.example has 2 new messages.",
            "information",
        ),
    ],
)
def test_what_an_operator_should_not_miss_is_a_toast(event: object, text: str, severity: str) -> None:
    news = notable(event)
    assert news is not None
    assert text in news[0]
    assert news[1] == severity


def test_what_the_screen_shows_anyway_is_no_toast() -> None:
    asked = TransferSnapshot(target="sip:bob@x", state=TransferState.ASKED)
    failed = TransferSnapshot(target="sip:bob@x", state=TransferState.FAILED, detail="Busy.")
    heard = VoicemailSnapshot(waiting=False)
    for event in (
        CallTransferring(NOON, "1", asked),
        CallTransferring(NOON, "1", failed),  # the command that asked for it raises
        VoicemailChanged(NOON, REGISTERED.account, heard),
        RequestTurnedAway(NOON, "198.51.100.9", "it is not admitted"),
        CallEnded(NOON, "1", "remote", None, "", 1.0),
    ):
        assert notable(event) is None


def test_a_call_that_rings_with_early_media_is_not_connected_yet() -> None:
    ringing = next(shown for shown in network_day() if shown.early_media)
    assert words.state(ringing) == CallState.RINGING.value
