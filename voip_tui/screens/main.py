"""The screen with all calls and the page of the selected one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen

from voip_engine.snapshots import AccountState, CallState, MonitorState
from voip_tui.actions import ACTIONS, BY_NAME, hints
from voip_tui.bridge import Board, ConsoleCall
from voip_tui.commanding import explain
from voip_tui.context import Console
from voip_tui.pulling import Pulls
from voip_tui.screens import call_deeds, saving, speakers
from voip_tui.screens.help import HelpScreen
from voip_tui.screens.info import InfoScreen, live_facts
from voip_tui.screens.log import LogScreen
from voip_tui.screens.message import MessageScreen
from voip_tui.screens.transfer import TransferScreen
from voip_tui.situation import Situation
from voip_tui.theme import Palette
from voip_tui.widgets.call_page import CallPage, Welcome
from voip_tui.widgets.calls_table import CallsTable, table_height
from voip_tui.widgets.header import Header
from voip_tui.widgets.hints import HintBar
from voip_tui.widgets.incoming import IncomingBar
from voip_tui.widgets.tabs import Pane

if TYPE_CHECKING:
    from voip_engine import SipTraceEntry

Result = TypeVar("Result")

BESIDE_FROM_WIDTH = 170
BELOW_FROM_HEIGHT = 32
SMALLEST_TABLE = 8
TABLE_SHARE = 0.3
"""How much of the height the table takes at most where the page stands below it."""
PULSE_S = 0.6


class MainScreen(Screen[None]):
    """Shows the board, and turns keys into engine calls.

    What is shown is what snapshots say, never what a key hopes for.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(",".join(action.keys), action.name, action.title, show=False) for action in ACTIONS),
        *(Binding(str(number), f"switch_mode({number})", show=False) for number in range(1, 10)),
    ]

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.shared = console
        palette = console.palette
        self._header = Header(palette, title=console.setup.title)
        self._incoming = IncomingBar(palette)
        self.table = CallsTable(palette, id="table")
        self._page = CallPage(palette, language=console.setup.language, id="page")
        self._welcome = Welcome(palette, demo=console.setup.demo)
        self._hints = HintBar(palette)
        self.board = Board()
        self._hide_ended = False
        self._any_calls = False
        self._bright = True
        self.pulls = Pulls()

    def compose(self) -> ComposeResult:
        """Header, calls, page, key hints."""
        yield self._header
        yield self._incoming
        with Container(id="body"):
            yield self.table
            yield self._page
            yield self._welcome
        yield self._hints

    def on_mount(self) -> None:
        """Start with what is known: nothing yet."""
        self._incoming.display = False
        self.table.focus()
        self.show(self.board)
        if self.shared.setup.poll_s is not None:
            self.set_interval(PULSE_S, self._pulse)

    # ---- showing ----

    def show(self, board: Board) -> None:
        """Show how everything stands."""
        self.board = board
        self._any_calls = self._any_calls or bool(board.views)
        self._header.show(board)
        self._incoming.show(board.incoming, bright=self._bright)
        self.table.show(board, hide_ended=self._hide_ended)
        if isinstance(dialogue := self.app.screen, TransferScreen):
            dialogue.follow([view.call for view in board.views])
        self.show_selected()

    def show_selected(self) -> None:
        """Show the selected call."""
        board, bridge = self.board, self.shared.bridge
        view = board.view(self.table.selected)
        if empty := view is None:
            self.remove_class("-page")
            self._welcome.show(board.engine.listening if board.engine else None, any_before=self._any_calls)
        if empty != self.has_class("-empty"):
            self.set_class(empty, "-empty")
        if view is not None and bridge is not None:
            history, trouble = bridge.history(view.call.call_id), view.call.trouble
            pull = self.pulls.get(trouble.model) if trouble is not None else None
            self._page.show(view, history, bridge.engine.modes, board.now, pull, self._trace)
        height = min(max(SMALLEST_TABLE, table_height(board.views) + 1), int(self.size.height * TABLE_SHARE))
        self.table.styles.height = height if self.has_class("-below") and not self.has_class("-page") else None
        self._hints.show(hints(self.situation))

    def _trace(self) -> Sequence[SipTraceEntry]:
        call = self.selected_call()
        return call.trace() if call is not None else ()

    def repaint(self, palette: Palette) -> None:
        """Draw everything anew in other colours."""
        for part in (self._header, self._incoming, self.table, self._page, self._welcome, self._hints):
            part.repaint(palette)

    def on_resize(self, event: events.Resize) -> None:
        """Choose where the page stands: beside the calls, below them, or on its own."""
        beside = event.size.width >= BESIDE_FROM_WIDTH
        self.set_class(beside, "-beside")
        self.set_class(not beside and event.size.height >= BELOW_FROM_HEIGHT, "-below")
        self.call_after_refresh(self.show, self.board)

    def _pulse(self) -> None:
        self._page.pulse()
        if self.board.incoming:
            self._bright = not self._bright
            self._incoming.show(self.board.incoming, bright=self._bright)

    @on(CallsTable.Selected)
    def _on_selected(self) -> None:
        self.show_selected()

    @on(CallsTable.Opened)
    def _on_opened(self) -> None:
        self.action_open_page()

    @on(CallsTable.MonitorClicked)
    def _on_monitor_clicked(self) -> None:
        self.action_monitor()

    # ---- what applies ----

    @property
    def situation(self) -> Situation:
        """What actions can be about right now."""
        board = self.board
        view = board.view(self.table.selected)
        selected = view.call if view else None
        waiting, bridge = board.incoming, self.shared.bridge
        pull = self.pulls.get(selected.trouble.model) if selected and selected.trouble else None
        return Situation(
            ready=self.shared.bridge is not None,
            selected=selected,
            incoming=selected if selected in waiting else waiting[0] if waiting else None,
            calls=len(board.views),
            live=board.live,
            monitored=sum(view.call.monitor in (MonitorState.ON, MonitorState.STARTING) for view in board.views),
            modes=self.shared.bridge.engine.modes if self.shared.bridge else (),
            page_open=self.has_class("-page"),
            page_shown=any(self.has_class(name) for name in ("-page", "-below", "-beside")),
            pane=self._page.pane.value,
            said=bool(selected and bridge and bridge.history(selected.call_id).dialogue),
            traced=bool(selected and self._trace()),
            pulling=pull is not None and pull.running,
            ended_hidden=self._hide_ended,
            accounts=len(board.accounts),
            failed_accounts=sum(account.state is AccountState.FAILED for account in board.accounts),
        )

    def applies(self, name: str) -> bool:
        """Say whether an action applies; why not is told on the screen."""
        self.table.keep()
        reason = BY_NAME[name].why_not(self.situation)
        if reason is not None:
            self.notify(reason, markup=False, timeout=4)
        return reason is None

    def selected_call(self) -> ConsoleCall | None:
        """The call that is selected."""
        bridge = self.shared.bridge
        return bridge.engine.calls.get(self.table.selected or "") if bridge else None

    @work
    async def do(self, deed: Callable[[], Awaitable[object]], failure: str) -> None:
        """Carry a command out without keeping the screen waiting; what goes wrong is said in plain words."""
        try:
            await deed()
        except Exception as error:
            self.notify(explain(error), title=failure, severity="error", markup=False)
        if self.shared.bridge is not None:
            self.shared.bridge.poll()

    # ---- dialogues ----

    def open(self, dialogue: Screen[Result], answered: Callable[[Result | None], None] | None = None) -> None:
        """Show a dialogue, whose result goes to `answered`; nothing happens while another one is on top.

        Keys go to whatever is on top when their turn comes. But several clicks may be on their way to the calls when the first
        of them opens a dialogue, and what has to be found out first is found out as often as it was asked for.
        """
        if self.app.screen is self:
            self.app.push_screen(dialogue, answered)

    # ---- calls ----

    def action_dial(self) -> None:
        """Ask whom to call."""
        call_deeds.dial(self)

    def action_call_back(self) -> None:
        """Ask whether to call the other side of a call that is over."""
        call_deeds.call_back(self)

    def action_register_again(self) -> None:
        """Register now what failed to."""
        call_deeds.register_again(self)

    def action_answer(self) -> None:
        """Take the incoming call, and select it."""
        call_deeds.answer(self)

    def action_reject(self) -> None:
        """Turn the incoming call down."""
        call_deeds.reject(self)

    def action_hang_up(self) -> None:
        """End the selected call."""
        call_deeds.hang_up(self)

    def action_hold(self) -> None:
        """Put the other side on hold, or take the call back."""
        call_deeds.hold(self)

    def action_transfer(self) -> None:
        """Ask where the other side is to go."""
        call_deeds.transfer(self)

    def action_monitor(self) -> None:
        """Put the selected call on the speakers, or take it off."""
        speakers.monitor(self)

    def action_choose_mode(self) -> None:
        """Show the modes to choose from."""
        call_deeds.choose_mode(self)

    def action_switch_mode(self, number: int) -> None:
        """Switch the selected call to the mode of this number."""
        call_deeds.switch_mode(self, number)

    def action_keypad(self) -> None:
        """Show the telephone keys."""
        call_deeds.keypad(self)

    @work
    async def action_pull_model(self) -> None:
        """Fetch the model that the selected call lacks; its progress stands on the page of each call that lacks it."""
        await call_deeds.pull_model(self)

    def action_save_dialogue(self) -> None:
        """Write what was said on the selected call, and its SIP messages, to a text file."""
        saving.dialogue(self)

    # ---- view ----

    def action_next_pane(self) -> None:
        """Show the next pane of the page."""
        if self.applies("next_pane"):
            self.action_show_pane(self._page.pane.next)

    def action_last_pane(self) -> None:
        """Show the pane before."""
        if self.applies("last_pane"):
            self.action_show_pane(self._page.pane.before)

    def action_show_pane(self, pane: str) -> None:
        """Show a pane by its name."""
        self.table.keep()
        self._page.choose(Pane(pane))
        self.show_selected()

    def action_scroll_back(self) -> None:
        """Scroll the page back by a screenful; without a page go up the list by one."""
        self._scroll(-1)

    def action_scroll_on(self) -> None:
        """The other way."""
        self._scroll(1)

    def action_scroll_end(self) -> None:
        """Go to the latest, or to the last call."""
        self._scroll(float("inf"))

    def _scroll(self, pages: float) -> None:
        self.table.keep()
        if self.situation.page_shown:
            self._page.scroll(pages)
            self.call_after_refresh(self.show_selected)
        else:
            calls = len(self.board.views)
            self.table.move(round(max(-calls, min(calls, pages * max(1, self.table.size.height - 2)))))

    def action_open_page(self) -> None:
        """Give the selected call the whole screen; from its SIP pane, open the latest message."""
        if self.has_class("-page") and self._page.pane is Pane.SIP:
            self.action_open_message(len(self._trace()) - 1)
        elif self.applies("open_page"):
            self.add_class("-page")
            self.show_selected()

    def action_open_message(self, place: int) -> None:
        """Show a SIP message of the selected call by its place."""
        entries = self._trace()
        if 0 <= place < len(entries):
            self.open(MessageScreen(self.shared.palette, entries, place))

    def action_close_page(self) -> None:
        """Back to the list."""
        self.remove_class("-page")
        self.show_selected()

    def action_next_call(self) -> None:
        """Select the next call."""
        self.table.move(1)

    def action_previous_call(self) -> None:
        """Select the call before."""
        self.table.move(-1)

    def action_toggle_ended(self) -> None:
        """Leave ended calls out of the list, or bring them back."""
        self._hide_ended = not self._hide_ended
        ended = sum(view.call.state is CallState.ENDED for view in self.board.views)
        if not ended:
            self.notify(
                "Ended calls are hidden from now on." if self._hide_ended else "Ended calls are shown.", timeout=3
            )
        self.show(self.board)

    # ---- speakers ----

    def action_volume_up(self) -> None:
        """Louder."""
        speakers.louder(self)

    def action_volume_down(self) -> None:
        """Quieter."""
        speakers.quieter(self)

    def action_choose_speaker(self) -> None:
        """Ask which device calls are heard on."""
        speakers.choose(self)

    # ---- console ----

    def action_show_log(self) -> None:
        """Show everything that happened."""
        bridge = self.shared.bridge
        self.open(LogScreen(self.shared.palette, lambda: tuple(bridge.lines) if bridge is not None else ()))

    def action_show_info(self) -> None:
        """Show what the console runs with."""
        facts = (*live_facts(self.board, self.shared.volume), *self.shared.setup.facts)
        self.open(InfoScreen(self.shared.palette, facts))

    def action_show_help(self) -> None:
        """Show every key."""
        self.open(HelpScreen(self.shared.palette))

    def action_switch_theme(self) -> None:
        """Dark or light."""
        self.app.theme = "day" if self.app.current_theme.dark else "night"

    def action_take_picture(self) -> None:
        """Save the screen as SVG."""
        saving.picture(self)

    async def action_command_palette(self) -> None:
        """Search all commands."""
        await self.app.run_action("command_palette")

    async def action_leave(self) -> None:
        """Leave, after asking when calls are up."""
        await self.app.run_action("leave")
