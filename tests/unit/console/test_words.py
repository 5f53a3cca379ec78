from __future__ import annotations

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from support.still_engine import OPUS, call

from voip_engine.snapshots import CallState
from voip_tui import words


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [(0, "0:00", "0:00"), (65.9, "1:05", "1:05"), (3725, "1:02:05", "1h02"), (-1, "0:00", "0:00")],
)
def test_durations(seconds: float, long: str, short: str) -> None:
    assert (words.duration(seconds), words.duration(seconds, short=True)) == (long, short)


@pytest.mark.parametrize("hostile", ["\x1b[2Jhello", "a\nb", "x\u202ey", "\x07", "\x9b31m"])
def test_nothing_that_a_peer_sends_controls_the_terminal(hostile: str) -> None:
    cleaned = words.clean(hostile)
    assert cleaned.isprintable()
    assert len(cleaned) == len(hostile)


@pytest.mark.parametrize("text", ["short", "exactly ten", "a name that is much too long", "日本語の長い名前です", ""])
def test_fitted_text_has_exactly_its_width(text: str) -> None:
    for width in range(12):
        assert cell_len(words.fit(text, width)) == width


def test_text_that_is_cut_says_so() -> None:
    assert words.fit("Ludwig van Beethoven", 8) == "Ludwig… "
    assert words.fit("Ludwig van Beethoven", 12) == "Ludwig van…" + " "


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sip:bob@192.0.2.7:5060;transport=tcp", "bob@192.0.2.7:5060"),
        ("sips:bob@example.org?subject=hi", "bob@example.org"),
        ("tel:+493012345", "+493012345"),
        ("bob@example.org", "bob@example.org"),
    ],
)
def test_uris_without_what_nobody_says(uri: str, said: str) -> None:
    assert words.bare_uri(uri) == said


def test_a_peer_is_a_name_or_else_a_number_or_else_an_address() -> None:
    assert words.peer(call(1, "Ada Lovelace")) == "Ada Lovelace"
    assert words.peer(call(3, "")) == "+493090182003"


def test_a_held_call_says_so_while_it_is_up() -> None:
    assert words.state(call(1, "Ada", on_hold=True)) == "on hold"
    assert words.state(call(1, "Ada", CallState.ENDED, on_hold=True)) == "ended"


@pytest.mark.parametrize(("value", "said"), [(None, "—"), (0.04, "0.0 ms"), (9.94, "9.9 ms"), (48.2, "48 ms")])
def test_milliseconds(value: float | None, said: str) -> None:
    assert words.milliseconds(value) == said


@pytest.mark.parametrize(
    ("name", "whole", "short"),
    [("opus", "Opus", "Opus"), ("G722", "G.722", "G.722"), ("PCMA", "G.711 A", "PCMA"), ("L16", "L16", "L16")],
)
def test_a_codec_has_one_name_where_it_fits(name: str, whole: str, short: str) -> None:
    codec = replace(OPUS, name=name)
    assert (words.codec(codec), words.codec(codec, short=True), words.codec_title(name)) == (whole, short, whole)
