"""The installed program in a real terminal: keys go in through tmux, what is on the screen comes back."""

from __future__ import annotations

import asyncio
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.programs import program

PATIENCE_S = 20.0
LOOK_AGAIN_S = 0.05
COLUMNS, LINES = 100, 30


class Terminal:
    """A tmux server of its own with one program in it."""

    def __init__(self, folder: Path) -> None:
        self._socket = f"voip-tui-{uuid.uuid4().hex[:12]}"
        self._folder = folder

    async def start(self, *command: str) -> None:
        # Whatever says how wide the tests' own output is must not decide how wide this terminal is.
        shell = f"unset COLUMNS LINES; {' '.join(command)}; echo left with $?; exec cat"
        environment = [f"XDG_STATE_HOME={self._folder}", f"XDG_CONFIG_HOME={self._folder}", "COLORTERM=truecolor"]
        await self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES)),
            *(word for pair in environment for word in ("-e", pair)),
            shell,
        )

    async def press(self, *keys: str) -> None:
        await self._tmux("send-keys", *keys)

    async def screen(self) -> str:
        return await self._tmux("capture-pane", "-p")

    async def shows(self, *texts: str, without: str | None = None) -> str:
        """Wait until all of these are on the screen together, and `without` is not."""
        screen = ""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    screen = await self.screen()
                    if all(text in screen for text in texts) and not (without and without in screen):
                        return screen
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError:
            raise AssertionError(f"there was no {texts} on the screen:\n{screen}") from None

    async def process_ids(self) -> set[int]:
        """The shell in the terminal and all that descends from it."""
        found = {int(await self._tmux("display-message", "-p", "#{pane_pid}"))}
        parents = await living()
        for _ in parents:  # deep enough for any family
            found |= {child for child, parent in parents.items() if parent in found}
        return found

    async def close(self) -> None:
        """Close the terminal, as if its window were closed; it may be closed already."""
        await self._run("kill-server")

    async def _tmux(self, *arguments: str) -> str:
        status, output, errors = await self._run(*arguments)
        assert status == 0, errors
        return output

    async def _run(self, *arguments: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            program("tmux"),
            "-L",
            self._socket,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode, output.decode(), errors.decode()


async def living() -> dict[int, int]:
    """Every process that is not only waiting to be buried, with its parent."""
    table = await asyncio.create_subprocess_exec("ps", "-eo", "pid=,ppid=,stat=", stdout=asyncio.subprocess.PIPE)
    rows = [line.split() for line in (await table.communicate())[0].decode().splitlines()]
    return {int(child): int(parent) for child, parent, state in rows if not state.startswith("Z")}


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    await terminal.close()


def voip_tui(*arguments: str) -> tuple[str, ...]:
    """The command as it is installed, or as it runs from a checkout."""
    installed = Path(sys.executable).with_name("voip-tui")
    return (*([str(installed)] if installed.exists() else [sys.executable, "-m", "voip_tui"]), *arguments)


@pytest.mark.peer("tmux")
async def test_a_round_through_the_demo(terminal: Terminal, tmp_path: Path) -> None:
    await terminal.start(*voip_tui("demo"))
    await terminal.shows("voip-tui demo", "connected", "echo", "? help")

    await terminal.press("?")
    await terminal.shows("Keys", "Turn the incoming call down as busy.")
    await terminal.press("Escape")
    await terminal.shows("peer", without="Turn the incoming call down as busy.")

    await terminal.press("Enter")
    await terminal.shows("signalling", "RTP there", "esc back")

    await terminal.press("2")
    await terminal.shows("Mode is silence")

    await terminal.press("Escape")
    await terminal.shows("peer", "silence", without="RTP there")

    await terminal.press("q")
    await terminal.shows("Quitting hangs up", "Stay")
    await terminal.press("n")
    await terminal.shows("peer", "connected", without="Quitting")

    await terminal.press("q")
    await terminal.shows("Quitting hangs up")
    await terminal.press("y")
    screen = await terminal.shows("left with 0")
    assert "Traceback" not in screen
    assert (tmp_path / "voip-tui" / "stderr.log").read_text() == ""


@pytest.mark.peer("tmux")
async def test_a_password_is_asked_for_without_echo_before_the_screen_starts(
    terminal: Terminal, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        account = f"sip:alice@127.0.0.1:{silent.getsockname()[1]}"
        await terminal.start(*voip_tui("--account", account, "--listen", "udp:127.0.0.1:0"))
        await terminal.shows(f"Password for {account}")
        await terminal.press("hunter2", "Enter")
        await terminal.shows("No calls yet", "alice@127.0.0.1", "registering", without="hunter2")
        await terminal.press("q")
        screen = await terminal.shows("left with 0")
    assert "hunter2" not in screen
    assert "hunter2" not in (tmp_path / "voip-tui" / "voip-tui.log").read_text()


@pytest.mark.peer("tmux")
@pytest.mark.parametrize("key", ["C-c", "C-d"])
async def test_who_types_no_password_gets_the_shell_back_on_a_line_of_its_own(terminal: Terminal, key: str) -> None:
    await terminal.start(*voip_tui("--account", "sip:alice@127.0.0.1:9", "--listen", "udp:127.0.0.1:0"))
    await terminal.shows("Password for sip:alice@127.0.0.1:9")
    await terminal.press(key)
    screen = await terminal.shows("left with 130")
    assert [line.strip() for line in screen.splitlines() if "left with" in line] == ["left with 130"]
    assert "Traceback" not in screen


@pytest.mark.peer("tmux")
async def test_a_terminal_that_cannot_place_text_is_refused(terminal: Terminal) -> None:
    await terminal.start("export TERM=dumb;", *voip_tui("demo"))
    await terminal.shows("This terminal (TERM=dumb) cannot show the console", "voip-engine", "left with 2")


@pytest.mark.peer("tmux")
async def test_a_port_in_use_is_said_on_the_terminal(terminal: Terminal) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        await terminal.start(*voip_tui("--listen", f"udp:127.0.0.1:{taken.getsockname()[1]}"))
        screen = await terminal.shows("left with 1", "in use")
    assert "Traceback" not in screen


@pytest.mark.peer("tmux")
async def test_without_a_folder_for_its_log_it_starts_all_the_same_and_says_so(terminal: Terminal) -> None:
    # The superuser writes everywhere but below a file.
    await terminal.start("XDG_STATE_HOME=/dev/null/nowhere", *voip_tui("demo", "--mode", "echo"))
    await terminal.shows("voip-tui demo", "connected", "? help")
    await terminal.press("i")
    await terminal.shows("esc closes", "Listening")
    await terminal.press("End")
    await terminal.shows("Files", "none: /dev/null/nowhere")
    await terminal.press("Escape")
    await terminal.shows("peer", without="esc closes")
    await terminal.press("q")
    await terminal.shows("Quitting hangs up")
    await terminal.press("y")
    screen = await terminal.shows("left with 0", "no log was kept")
    assert "Traceback" not in screen


# In a session of its own a program gets no SIGHUP: it finds out that the terminal is gone when it draws.
APART = (sys.executable, "-c", "'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])'")


@pytest.mark.peer("tmux")
@pytest.mark.parametrize("command", [voip_tui("demo"), (*APART, *voip_tui("demo"))], ids=["hung up", "apart"])
async def test_closing_the_window_under_it_leaves_nothing_behind(terminal: Terminal, command: tuple[str, ...]) -> None:
    await terminal.start(*command)
    await terminal.shows("voip-tui demo", "connected")
    left = await terminal.process_ids()
    assert len(left) >= 5  # the shell, the console, its media process, the callers and theirs
    await terminal.close()
    async with asyncio.timeout(PATIENCE_S):
        while left & (await living()).keys():  # asking takes its own time
            pass
