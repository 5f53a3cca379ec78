"""The engine without a screen, as servers and scripts start it."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress

import pytest
from support.headless import headless
from support.processes import REPOSITORY, running


async def test_it_echoes_and_tells_in_json_lines():
    async with (
        headless("--listen", "udp:127.0.0.1:0", "--auto-answer") as desk,
        headless("--listen", "udp:127.0.0.1:0", "--mode", "silence", "--dial", desk.uri("a", "udp")) as caller,
    ):
        answered = await caller.event("CallAnswered")
        assert answered["codec"]["name"] == "opus"
        created = await desk.event("CallCreated", direction="inbound")
        caller.child.signal(signal.SIGTERM)
        assert await caller.child.wait_ended() == 0
        ended = await desk.event("CallEnded", call_id=created["call_id"])
        assert ended["by"] == "remote"
        assert [event["event"] for event in caller.events][-2:] == ["CallEnded", "EngineStopped"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
async def test_a_signal_to_the_whole_group_still_says_goodbye(number):
    async with (
        headless("--listen", "udp:127.0.0.1:0", "--auto-answer") as desk,
        headless("--listen", "udp:127.0.0.1:0", "--dial", desk.uri("a", "udp")) as caller,
    ):
        await caller.event("CallAnswered")
        os.killpg(caller.child.process_id, number)
        assert await caller.child.wait_ended() == 0
        assert (await desk.event("CallEnded"))["by"] == "remote"
        assert "MediaRestarted" not in [event["event"] for event in caller.events]


async def test_it_ends_with_what_it_dialled():
    async with (
        headless("--listen", "udp:127.0.0.1:0", "--max-calls", "1") as desk,
        headless("--listen", "udp:127.0.0.1:0", "--dial", desk.uri("a", "udp")) as first,
    ):
        await first.event("CallRinging")
        async with headless("--dial", desk.uri("b", "udp")) as second:
            assert (await second.event("CallEnded"))["status"] == 486
            assert await second.child.wait_ended() == 1


async def test_it_ends_with_what_it_dialled_through_an_account_that_does_not_register(tmp_path):
    settings = tmp_path / "settings.toml"
    async with headless("--listen", "udp:127.0.0.1:0", "--max-calls", "1") as desk:
        host, port = desk.listening["udp"]
        account = f"uri = 'sip:alice@{host}:{port};transport=udp'\nregister = false"
        settings.write_text(f"[[accounts]]\n{account}\n")
        async with headless("--listen", "udp:127.0.0.1:0", "--dial", desk.uri("a", "udp")) as first:
            await first.event("CallRinging")
            async with headless("--settings", str(settings), "--dial", "100") as second:
                assert (await second.event("CallEnded"))["status"] == 486
                assert await second.child.wait_ended() == 1


async def test_a_signal_while_it_rings_is_no_failure():
    async with (
        headless("--listen", "udp:127.0.0.1:0") as desk,
        headless("--dial", desk.uri("a", "udp")) as caller,
    ):
        await caller.event("CallRinging")
        caller.child.signal(signal.SIGINT)
        assert await caller.child.wait_ended() == 0
        assert (await desk.event("CallEnded"))["by"] == "remote"


async def test_only_dialling_needs_no_port_of_its_own():
    async with headless("--listen", "udp:127.0.0.1:0", "--auto-answer") as desk:
        with socket.socket(type=socket.SOCK_DGRAM) as somebody:
            # In the way of who wants the port on all addresses, and of nobody else; whoever has it already does as well.
            with suppress(OSError):
                somebody.bind(("127.93.27.81", 5060))
            async with headless("--dial", desk.uri("a", "udp")) as caller:
                await caller.event("CallAnswered")


async def test_a_second_signal_breaks_off_what_blocks(tmp_path):
    package = tmp_path / "hog-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: hog\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[voip_engine.modes]\nhog = hog:Hog\n")
    (tmp_path / "hog.py").write_text(
        "import time\nclass Hog:\n    name = 'hog'\n    async def run(self, leg):\n"
        "        print('blocking', flush=True, file=__import__('sys').stderr)\n        time.sleep(1000)\n"
    )
    environ = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(REPOSITORY)))}
    async with (
        headless("--listen", "udp:127.0.0.1:0", "--mode", "hog", "--auto-answer", environ=environ) as desk,
        headless("--dial", desk.uri("a", "udp")),
    ):
        await desk.child.wait_for("blocking")
        desk.child.signal(signal.SIGTERM)
        desk.child.signal(signal.SIGINT)
        assert await desk.child.wait_ended(within_s=20) == 130  # it still says goodbye to everybody


async def test_a_port_in_use_is_said_in_plain_words():
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with running(
            "voip-engine", sys.executable, "-m", "voip_engine", "--listen", f"udp:127.0.0.1:{port}"
        ) as child:
            await child.wait_for(rf"{port}.*in use")
            assert await child.wait_ended() == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--listen", "carrier-pigeon:1"), "udp:, tcp: or tls:"),
        (("--account", "sip:alice:secret@pbx.example"), "never holds the password"),
        (("--mode", "karaoke"), "no mode 'karaoke'"),
        (("--settings", "/nonexistent/settings.toml"), "/nonexistent/settings.toml"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_starts(arguments, words):
    async with running("voip-engine", sys.executable, "-m", "voip_engine", *arguments) as child:
        await child.wait_for(words)
        assert await child.wait_ended() in (1, 2)
        assert "secret" not in child.transcript()
        assert not child.lines


async def test_authorities_that_are_not_there_keep_it_from_starting_even_if_nobody_needs_them_yet(tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text("listen = ['udp:127.0.0.1:0']\n[tls]\nca_file = '/nope.pem'\n")
    async with running("voip-engine", sys.executable, "-m", "voip_engine", "--settings", str(settings)) as child:
        await child.wait_for("There is no file /nope.pem, which ca_file in")
        assert await child.wait_ended() == 1
        assert not child.lines


async def test_a_reader_that_goes_away_is_no_crash():
    async with running("reader", sys.executable, "-c", _READS_ONE_LINE) as child:
        assert await child.wait_ended(within_s=15) == 0
        assert "Traceback" not in child.transcript()


_READS_ONE_LINE = """
import signal, subprocess, sys
engine = subprocess.Popen([sys.executable, "-m", "voip_engine", "--listen", "udp:127.0.0.1:0"], stdout=subprocess.PIPE)
engine.stdout.readline()
engine.stdout.close()
engine.send_signal(signal.SIGTERM)
sys.exit(engine.wait())
"""
