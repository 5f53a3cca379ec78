"""Between the engine and the screen: what the console needs of an engine, and how its news reach the widgets.

Events come as they happen and become messages. Snapshots are taken ten times a second, and at once after an event, so
that a key press is seen without waiting for the next turn. When nothing differs nothing is posted, and nothing drawn.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from textual.message import Message

from voip_engine.events import (
    AccountChanged,
    AnyEvent,
    CallEvent,
    CallRefused,
    EngineStarted,
    MediaChanged,
    PacketRejected,
)
from voip_engine.snapshots import AccountSnapshot, AccountState, CallSnapshot, CallState, EngineSnapshot
from voip_tui.account_news import AccountNews
from voip_tui.happenings import SPEECH_EVENTS, log_line
from voip_tui.history import CallHistory, CallView, LogLine
from voip_tui.refusals import Refusals
from voip_tui.transcripts import other_side
from voip_tui.words import clean, peer

if TYPE_CHECKING:
    from voip_engine import SipTraceEntry

ENGINE_LINES_KEPT = 2000

ORDER = {
    CallState.INCOMING: 0,
    CallState.CALLING: 1,
    CallState.RINGING: 1,
    CallState.CONNECTED: 1,
    CallState.ENDED: 2,
}


class ConsoleCall(Protocol):
    """What the console asks of a call. The commands raise `EngineError`, in plain words, when they cannot be done."""

    def snapshot(self) -> CallSnapshot:
        """How the call stands."""
        ...

    async def answer(self, mode: str | None = None) -> None:
        """Take an incoming call."""
        ...

    async def reject(self, status: int = 486) -> None:
        """Turn an incoming call down."""
        ...

    async def hang_up(self) -> None:
        """End the call, whatever its state."""
        ...

    async def set_mode(self, name: str) -> None:
        """Let another mode handle the call."""
        ...

    async def monitor(self, on: bool) -> None:
        """Put the call on the local speakers, or take it off."""
        ...

    async def send_dtmf(self, digits: str) -> None:
        """Press keys."""
        ...

    async def hold(self, on: bool) -> None:
        """Put the other side on hold, or take the call back."""
        ...

    async def transfer(self, target: str) -> None:
        """Send the other side on to an address, and wait for the end of it."""
        ...

    async def transfer_to(self, other: Any) -> None:
        """Join the other sides of this call and of another one of the same engine."""
        ...

    def trace(self) -> tuple[SipTraceEntry, ...]:
        """The SIP messages of the call, the oldest first."""
        ...


class OutputDeviceLike(Protocol):
    """A loudspeaker that the monitor can use."""

    @property
    def name(self) -> str:
        """As the sound system calls it."""
        ...


class PullProgressLike(Protocol):
    """How far the download of a model is."""

    @property
    def model(self) -> str:
        """Which one, as it was asked for."""
        ...

    @property
    def done_bytes(self) -> int:
        """What is here."""
        ...

    @property
    def total_bytes(self) -> int | None:
        """What it will be; 0 while that is not known."""
        ...

    @property
    def status(self) -> str:
        """What is going on, in a word or two."""
        ...


class ConsoleEngine(Protocol):
    """What the console asks of an engine: the public half of `voip_engine.Engine` that it uses."""

    @property
    def calls(self) -> Mapping[str, ConsoleCall]:
        """Every call there is, and those that ended lately."""
        ...

    @property
    def modes(self) -> tuple[str, ...]:
        """What can handle a call."""
        ...

    def accounts(self) -> tuple[AccountSnapshot, ...]:
        """How every account stands."""
        ...

    def snapshot(self) -> EngineSnapshot:
        """How the engine stands."""
        ...

    def events(self) -> AsyncIterator[AnyEvent]:
        """What happens from now on."""
        ...

    async def dial(self, uri: str, *, account: str | None = None, mode: str | None = None) -> ConsoleCall:
        """Call somebody."""
        ...

    def register(self, account: str) -> None:
        """Register an account now, whenever it was to be tried again. Raises `EngineError`."""
        ...

    async def pull_model(self, model: str, on_progress: Callable[[PullProgressLike], None]) -> object:
        """Fetch what a `Trouble.model` names, then let the calls that waited for it go on. Raises `EngineError`."""
        ...

    async def set_monitor_volume(self, volume: float) -> None:
        """How loud the speakers play, from 0 to 1."""
        ...

    async def set_monitor_device(self, name: str | None) -> None:
        """Which speakers to play on; None for the system's choice."""
        ...

    async def output_devices(self) -> Sequence[OutputDeviceLike]:
        """The speakers there are."""
        ...


@dataclass(frozen=True, slots=True)
class Board:
    """Everything the main screen shows, as it stood at `now` (whole seconds since the epoch)."""

    views: tuple[CallView, ...] = ()
    accounts: tuple[AccountSnapshot, ...] = ()
    engine: EngineSnapshot | None = None
    now: int = 0
    refused_calls: int = 0
    """Calls that were refused before anybody could answer, of those who may call here."""

    @property
    def live(self) -> int:
        """How many calls are not over."""
        return sum(view.call.state is not CallState.ENDED for view in self.views)

    @property
    def incoming(self) -> tuple[CallSnapshot, ...]:
        """Who calls us and waits, the longest first."""
        return tuple(view.call for view in self.views if view.call.state is CallState.INCOMING)

    def view(self, call_id: str | None) -> CallView | None:
        """The view of a call, or None when it is gone."""
        return next((view for view in self.views if view.call.call_id == call_id), None)


class BoardChanged(Message):
    """Something on the board differs. Only the latest one counts."""

    def __init__(self, board: Board) -> None:
        self.board = board
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """A newer board takes the place of one that waits."""
        return isinstance(message, BoardChanged)


class EngineHappened(Message):
    """An event of the engine; `news` is whether it tells more than the one before it did."""

    def __init__(self, event: AnyEvent, *, news: bool = True) -> None:
        self.event = event
        self.news = news
        super().__init__()


class Bridge:
    """Reads one engine, remembers the recent past of its calls, and posts what the screen has to know.

    `post` takes messages (an app's `post_message`); `now` is seconds since the epoch, as in the engine's events.
    """

    def __init__(
        self, engine: ConsoleEngine, post: Callable[[Message], object], now: Callable[[], float] = time.time
    ) -> None:
        self.engine = engine
        self.board = Board()
        self.lines: deque[LogLine] = deque(maxlen=ENGINE_LINES_KEPT)
        self._post = post
        self._now = now
        self._histories: dict[str, CallHistory] = {}
        self._account_news = AccountNews()
        self._refusals = Refusals()
        self._events = engine.events()
        self.lines.append(log_line(EngineStarted(now(), engine.snapshot().listening)))

    def history(self, call_id: str) -> CallHistory:
        """The recent past of a call, empty for one never seen."""
        return self._histories.setdefault(call_id, CallHistory())

    def poll(self) -> Board:
        """Take snapshots of everything, and post them if they differ from the last ones."""
        now = self._now()
        calls = [call.snapshot() for call in self.engine.calls.values()]
        for gone in self._histories.keys() - {call.call_id for call in calls}:
            del self._histories[gone]
        views = []
        for call in sorted(calls, key=_place):
            history = self.history(call.call_id)
            history.follow(call, now)
            views.append(CallView.of(call, history))
        counting = any(call.state is not CallState.ENDED for call in calls)
        board = Board(
            views=tuple(views),
            accounts=self.engine.accounts(),
            engine=self.engine.snapshot(),
            now=int(now) if counting else self.board.now,
            refused_calls=self._refusals.count,
        )
        if board != self.board or any(history.audible for history in self._histories.values()):
            self.board = board
            self._post(BoardChanged(board))
        return board

    async def follow(self) -> None:
        """Pass on the engine's events until it stops."""
        async for event in self._events:
            match event:
                case AccountChanged(account=account):
                    written = news = self._account_news.is_new(account)
                case CallRefused():
                    written, news = True, self._refusals.is_new(event)
                case PacketRejected(call_id=str(call_id), reason=reason):
                    written = news = True
                    self.history(call_id).not_taken = clean(reason)
                case _:
                    written = news = True
            if written:
                self._write(event)
            self._post(EngineHappened(event, news=news))

    def register_again(self) -> tuple[str, ...]:
        """Register every account that failed to, and give their names. Raises `EngineError`."""
        failed = tuple(each.account for each in self.engine.accounts() if each.state is AccountState.FAILED)
        for account in failed:
            self._account_news.forget(account)
            self.engine.register(account)
        return failed

    def _write(self, event: AnyEvent) -> None:
        if not isinstance(event, CallEvent):
            self.lines.append(log_line(event))
            return
        view, history = self.board.view(event.call_id), self.history(event.call_id)
        name = other_side(view.call) if view is not None else "Caller"
        line = log_line(event, other_side=name, held_by=history.held_by)
        if isinstance(event, MediaChanged):
            history.held_by = event.held_by
        history.lines.append(line)
        if not isinstance(event, SPEECH_EVENTS):
            # Asked now: the board may not have a new call yet, and in a while nobody has one that is over.
            call = self.engine.calls.get(event.call_id)
            self.lines.append(replace(line, peer=peer(call.snapshot())) if call is not None else line)


def _place(call: CallSnapshot) -> tuple[int, float]:
    """Who waits for an answer comes first, then live calls by age, then what ended, the latest first."""
    if call.state is CallState.ENDED:
        return ORDER[call.state], -(call.ended_at or call.created_at)
    return ORDER[call.state], call.created_at
