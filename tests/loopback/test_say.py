"""`voip-tui say`: a process calls an engine, says or plays something, and hangs up."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import numpy as np
import pytest
from support.correlation import write_wave
from support.headless import headless
from support.ollama_server import OllamaServer
from support.processes import Child, running

RATE_HZ = 8_000


def say(*arguments: str, environ: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Child]:
    argv = (sys.executable, "-m", "voip_tui", "say", *arguments)
    return running("say", *argv, environ={"XDG_CONFIG_HOME": "/nonexistent", **(environ or {})})


@pytest.fixture
def tone(tmp_path: Path) -> str:
    """A second of a tone at the telephone's rate."""
    path = tmp_path / "announcement.wav"
    seconds = np.arange(RATE_HZ) / RATE_HZ
    write_wave(path, (0.3 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32), RATE_HZ)
    return str(path)


async def test_a_recording_is_heard_whole_and_the_call_hung_up(tone):
    async with (
        headless("--listen", "udp:127.0.0.1:0", "--mode", "silence", "--auto-answer") as desk,
        say(desk.uri("a", "udp"), "--wav", tone) as caller,
    ):
        await caller.wait_for("all of it was said", within_s=20)
        assert await caller.wait_ended() == 0
        ended = await desk.event("CallEnded")
        assert (ended["by"], ended["duration_s"] > 1.2) == ("remote", True)


async def test_an_agents_models_are_left_alone(tone, tmp_path):
    folder = tmp_path / "voip-tui"
    folder.mkdir()
    async with (
        OllamaServer() as server,
        headless("--listen", "udp:127.0.0.1:0", "--mode", "silence", "--auto-answer") as desk,
    ):
        (folder / "settings.toml").write_text(f"mode = 'agent'\n[agent]\nhost = '{server.url}'\n")
        async with say(desk.uri("a", "udp"), "--wav", tone, environ={"XDG_CONFIG_HOME": str(tmp_path)}) as caller:
            await caller.wait_for("all of it was said", within_s=20)
            assert await caller.wait_ended() == 0
        assert server.requests == []


async def test_busy_and_hung_up_before_the_end(tone):
    async with headless("--listen", "udp:127.0.0.1:0", "--max-calls", "1") as desk:
        async with say(desk.uri("a", "udp"), "--wav", tone) as first:
            await desk.event("CallCreated")
            async with say(desk.uri("b", "udp"), "--wav", tone) as second:
                await second.wait_for("Busy", within_s=20)
                assert await second.wait_ended() == 1
            first.signal(signal.SIGINT)
            await first.wait_for("stopped, and hung up")
            assert await first.wait_ended() == 130
        assert (await desk.event("CallEnded"))["by"] == "remote"


async def test_nobody_answers(tone):
    async with (
        headless("--listen", "udp:127.0.0.1:0") as desk,
        say(desk.uri("a", "udp"), "--wav", tone, "--timeout-s", "1") as caller,
    ):
        await caller.wait_for("Nobody answered within 1 s", within_s=20)
        assert await caller.wait_ended() == 1
        assert (await desk.event("CallEnded"))["by"] == "remote"


async def test_without_a_voice_nobody_is_called_and_the_command_that_mends_it_is_named(tmp_path):
    nothing = {"XDG_DATA_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path)}
    async with say("sip:a@127.0.0.1", "Good morning.", environ=nothing) as caller:
        await caller.wait_for("Run: voip-tui models pull pocket:english")
        assert await caller.wait_ended() == 1
        assert "calling" not in caller.transcript()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sip:a@127.0.0.1",), "Give a text in quotes behind the address"),
        (("sip:a@127.0.0.1", "Hello", "--wav", __file__), "a text and --wav FILE cannot both be said"),
        (("sip:a@127.0.0.1", " "), "the text is empty"),
        (("sip:a@127.0.0.1", "😀"), "nothing that can be said"),
        (("sip:a@127.0.0.1", "**  **"), "nothing that can be said"),
        (("sip:a@127.0.0.1", "Hello", "--voice", "/nonexistent.wav"), "there is no file /nonexistent.wav"),
        (("sip:a@127.0.0.1", "--wav", "/nonexistent.wav"), "No such file"),
        (("sip:a@127.0.0.1", "--wav", __file__), "is no recording"),
        (("sip:a@127.0.0.1", "Hello", "--timeout-s", "-1"), "--timeout-s"),
    ],
)
async def test_bad_options_are_refused(arguments, words):
    async with say(*arguments) as caller:
        await caller.wait_for(words)
        assert await caller.wait_ended() == 2
        assert "Traceback" not in caller.transcript()
