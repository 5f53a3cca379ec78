"""The console: one screen of calls over an engine that lives as long as the console does."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import Theme

from voip_engine.events import (
    AccountChanged,
    AnyEvent,
    CallCreated,
    CallEnded,
    CallEvent,
    CallReferred,
    CallRefused,
    CallTransferring,
    MediaChangeRefused,
    MediaRestarted,
    MediaTimedOut,
    ModeFailed,
    ModeTroubled,
    MonitorChanged,
    VoicemailChanged,
)
from voip_engine.snapshots import AccountState, CallDirection, MonitorState, TransferState
from voip_tui.bridge import BoardChanged, Bridge, ConsoleEngine, EngineHappened
from voip_tui.commanding import explain
from voip_tui.commands import ConsoleCommands
from voip_tui.context import Console, Setup
from voip_tui.happenings import SPEECH_EVENTS
from voip_tui.screens.confirm import ConfirmScreen
from voip_tui.screens.main import MainScreen
from voip_tui.theme import DAY, NIGHT, palette_for
from voip_tui.toasts import Toast, Toasts
from voip_tui.words import bare_uri, brief, clean, count, peer, unchanged

COLLECT_AT = (10_000, 20, 100)
OpenEngine = Callable[[], AbstractAsyncContextManager[ConsoleEngine]]

logger = logging.getLogger(__name__)


class ConsoleApp(App[int]):
    """Paints first, then opens the engine; closes the engine before it leaves.

    `open_engine` gives the engine's context manager; it is called once, in the console's loop. The app's return value
    is the exit status.
    """

    CSS_PATH = "app.tcss"
    TITLE = "voip-tui"
    COMMANDS = {ConsoleCommands}  # noqa: RUF012 - Textual declares it so
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True),
        Binding("ctrl+c", "interrupt", "Quit", show=False, priority=True),
    ]

    def __init__(self, open_engine: OpenEngine, setup: Setup | None = None) -> None:
        super().__init__()
        self.animation_level = "none"
        self._open_engine = open_engine
        self.console_state = Console.of(setup or Setup())
        self.main = MainScreen(self.console_state)
        self._leaving = asyncio.Event()
        self._asked = False
        self._toasts = Toasts()
        self.register_theme(NIGHT)
        self.register_theme(DAY)
        self.failure = ""
        """Why the engine could not be opened, in plain words."""

    def get_default_screen(self) -> Screen[Any]:
        """The calls."""
        return self.main

    def on_mount(self) -> None:
        """Colours first, then the engine, once the screen has been painted."""
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        self.theme = self.console_state.setup.theme
        self._listen_for_signals()
        self.call_after_refresh(self._open_after_paint)

    def _open_after_paint(self) -> None:
        self.run_worker(self._live(), name="engine", exit_on_error=True)

    def _theme_changed(self, theme: Theme) -> None:
        self.console_state.palette = palette_for(theme)
        self.main.repaint(self.console_state.palette)

    # ---- the engine ----

    async def _live(self) -> None:
        """Hold the engine open until the console closes."""
        try:
            async with self._open_engine() as engine:
                await self._attend(engine)
        except Exception as error:
            self.failure = explain(error)
            self.exit(1, return_code=1)
            return
        self.exit(0)

    async def _attend(self, engine: ConsoleEngine) -> None:
        bridge = Bridge(engine, self.post_message, self.console_state.setup.now)
        self.console_state.bridge = bridge
        following = asyncio.create_task(bridge.follow(), name="console events")
        bridge.poll()
        timer = None
        if (poll_s := self.console_state.setup.poll_s) is not None:
            timer = self.set_interval(poll_s, bridge.poll)
        # What is there now stays, so the collector need not walk through it again while calls are up. What the screen
        # leaves behind are small cycles within its strips: collected by the ten thousand, they cost least.
        gc.freeze()
        gc.set_threshold(*COLLECT_AT)
        try:
            await self._leaving.wait()
        finally:
            self.console_state.bridge = None
            if timer is not None:
                timer.stop()
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    def on_board_changed(self, message: BoardChanged) -> None:
        """Show the new board."""
        self.main.show(message.board)

    def on_engine_happened(self, message: EngineHappened) -> None:
        """Say what an operator should not miss, and look at once at what has changed."""
        event = message.event
        if (
            isinstance(event, CallCreated)
            and event.direction is CallDirection.INBOUND
            and self.console_state.setup.bell
        ):
            self.bell()
        if message.news and (said := notable(event)) is not None:
            text, severity = said
            names = self._names(event)
            self._raise(Toast(clean(text), names, severity=severity, timeout_s=self.NOTIFICATION_TIMEOUT))
        if self.console_state.bridge is not None and not isinstance(event, SPEECH_EVENTS):
            self.console_state.bridge.poll()

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a toast; one that says the same as one just before (an event and a failed command do) is left out."""
        self._raise(Toast(message, (), title, severity, timeout or self.NOTIFICATION_TIMEOUT, markup))

    def _raise(self, toast: Toast) -> None:
        now = time.monotonic()
        fits = self._toasts.add(toast, now)
        if fits is None:
            return
        if not fits:
            super().clear_notifications()
        for shown in self._toasts.standing[-1:] if fits else self._toasts.standing:
            super().notify(
                shown.message,
                title=shown.title,
                severity=shown.severity,
                timeout=max(0.1, shown.until - now),
                markup=shown.markup,
            )

    def clear_notifications(self) -> None:
        """Take all toasts away."""
        self._toasts = Toasts()
        super().clear_notifications()

    def _fatal_error(self) -> None:
        """Log the traceback without the locals that Textual would print: they may hold what callers said."""
        logger.critical("The console broke down", exc_info=True)
        self._close_messages_no_wait()

    def _names(self, event: AnyEvent) -> tuple[str, ...]:
        """Whose call it is."""
        bridge = self.console_state.bridge
        view = bridge.board.view(event.call_id) if bridge is not None and isinstance(event, CallEvent) else None
        return (peer(view.call),) if view is not None else ()

    # ---- leaving ----

    async def action_leave(self) -> None:
        """Leave; ask first when calls are up."""
        live = self.main.situation.live
        if self._asked:
            return
        if not live or self.console_state.bridge is None:
            self.shut_down()
            return
        self._asked = True
        are = "is" if live == 1 else "are"
        question = ConfirmScreen(
            f"{count(live, 'call')} {are} up",
            f"Quitting hangs up{'' if live == 1 else ' all of them'}; ^c again does so at once.",
            "Hang up and quit",
            "Stay",
        )
        self.push_screen(question, self._answered)

    def _answered(self, leave: bool | None) -> None:
        self._asked = False
        if leave:
            self.shut_down()

    async def action_interrupt(self) -> None:
        """Leave; who insists on it while it is asked needs not answer."""
        question = self.screen
        if isinstance(question, ConfirmScreen):
            question.dismiss(True)
        else:
            await self.action_leave()

    async def action_quit(self) -> None:
        """The same as leaving."""
        await self.action_leave()

    def shut_down(self) -> None:
        """Hang up, unregister, and leave."""
        if self.console_state.bridge is None and not self._leaving.is_set():
            self._leaving.set()
            self.exit(0)
            return
        self._leaving.set()
        self.notify("Hanging up …", timeout=30)

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                # Windows takes none on a loop; off the main thread (in tests of other programs) there are no signals to be had.
                with suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(number, self.shut_down)


def notable(event: AnyEvent) -> tuple[str, SeverityLevel] | None:
    """What a toast says of an event, and how serious it is; None for what the screen shows anyway."""
    match event:
        case AccountChanged(account=account) if account.state is AccountState.FAILED:
            return f"{bare_uri(account.account)}: {account.detail}", "error"
        case CallEnded(status=status, reason=reason) if status is not None and status >= 400 and status != 487:
            return reason or f"The call failed with {status}.", "warning"
        case CallRefused(caller=caller, status=status, reason=reason):
            return f"Refused a call of {bare_uri(caller)} ({status}): {reason}", "warning"
        case MediaChangeRefused():
            return unchanged(event), "warning"
        case ModeFailed():
            return f"Mode {event.mode} failed, the call goes on in silence: {event.reason}", "error"
        case ModeTroubled(trouble=trouble):
            return trouble.detail or trouble.what, "error"
        case MonitorChanged(state=MonitorState.FAILED):
            return brief(event.detail), "error"
        case MediaTimedOut():
            return f"No audio from the other side for {event.silent_s:.0f} s.", "warning"
        case CallTransferring(transfer=transfer) if transfer.state is TransferState.DONE:
            return f"Transferred to {bare_uri(transfer.target)}.", "information"
        case CallReferred(target=target, refusal=refusal):
            if refusal:
                return f"Wanted to send us to {bare_uri(target)}, refused: {refusal}", "warning"
            return f"Sends us to {bare_uri(target)}.", "information"
        case VoicemailChanged(voicemail=voicemail) if voicemail.waiting and voicemail.new:
            return f"{bare_uri(event.account)} has {count(voicemail.new, 'new message')}.", "information"
        case MediaRestarted():
            return f"The media process was replaced; {event.outage_s:.1f} s without audio.", "warning"
    return None
