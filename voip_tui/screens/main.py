"""The screen with all calls and the page of the selected one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen

from voip_engine.snapshots import CallState, Holder, MonitorState
from voip_tui import words
from voip_tui.actions import ACTIONS, BY_NAME, hints
from voip_tui.bridge import Board, ConsoleCall
from voip_tui.commanding import explain
from voip_tui.context import Console
from voip_tui.history import LogLine
from voip_tui.pulling import Pulls
from voip_tui.screens.choose import ChooseScreen
from voip_tui.screens.dial import DialRequest, DialScreen
from voip_tui.screens.help import HelpScreen
from voip_tui.screens.info import InfoScreen, live_facts
from voip_tui.screens.keypad import KeypadScreen
from voip_tui.screens.log import LogScreen
from voip_tui.screens.message import MessageScreen
from voip_tui.screens.transfer import TransferRequest, TransferScreen
from voip_tui.situation import Situation
from voip_tui.theme import Palette
from voip_tui.transcripts import save
from voip_tui.widgets.call_page import CallPage, Welcome
from voip_tui.widgets.calls_table import CallsTable, table_height
from voip_tui.widgets.header import Header
from voip_tui.widgets.hints import HintBar
from voip_tui.widgets.incoming import IncomingBar
from voip_tui.widgets.tabs import Pane

if TYPE_CHECKING:
    from voip_engine import SipTraceEntry

BESIDE_FROM_WIDTH = 170
BELOW_FROM_HEIGHT = 32
SMALLEST_TABLE = 8
TABLE_SHARE = 0.3
"""How much of the height the table takes at most where the page stands below it."""
VOLUME_STEP = 0.1
PULSE_S = 0.6
PULL_LOOK_S = 0.2


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
        self._shared = console
        palette = console.palette
        self._header = Header(palette, title=console.setup.title)
        self._incoming = IncomingBar(palette)
        self._table = CallsTable(palette, id="table")
        self._page = CallPage(palette, language=console.setup.language, id="page")
        self._welcome = Welcome(palette)
        self._hints = HintBar(palette)
        self._board = Board()
        self._hide_ended = False
        self._bright = True
        self._pulls = Pulls()

    def compose(self) -> ComposeResult:
        """Header, calls, page, key hints."""
        yield self._header
        yield self._incoming
        with Container(id="body"):
            yield self._table
            yield self._page
            yield self._welcome
        yield self._hints

    def on_mount(self) -> None:
        """Start with what is known: nothing yet."""
        self._incoming.display = False
        self._table.focus()
        self.show(self._board)
        if self._shared.setup.poll_s is not None:
            self.set_interval(PULSE_S, self._pulse)

    # ---- showing ----

    def show(self, board: Board) -> None:
        """Show how everything stands."""
        self._board = board
        self._header.show(board)
        self._incoming.show(board.incoming, bright=self._bright)
        self._table.show(board, hide_ended=self._hide_ended)
        self._show_selected()

    def _show_selected(self) -> None:
        board, bridge = self._board, self._shared.bridge
        view = board.view(self._table.selected)
        empty = view is None
        if empty:
            self.remove_class("-page")
            self._welcome.show(board.engine.listening if board.engine else None)
        if empty != self.has_class("-empty"):
            self.set_class(empty, "-empty")
        if view is not None and bridge is not None:
            history, trouble = bridge.history(view.call.call_id), view.call.trouble
            pull = self._pulls.get(trouble.model) if trouble is not None else None
            self._page.show(view, history, bridge.engine.modes, board.now, pull, self._trace)
        height = min(max(SMALLEST_TABLE, table_height(board.views) + 1), int(self.size.height * TABLE_SHARE))
        self._table.styles.height = height if self.has_class("-below") and not self.has_class("-page") else None
        self._hints.show(hints(self.situation))

    def _trace(self) -> Sequence[SipTraceEntry]:
        call = self._selected_call()
        return call.trace() if call is not None else ()

    def repaint(self, palette: Palette) -> None:
        """Draw everything anew in other colours."""
        for part in (self._header, self._incoming, self._table, self._page, self._welcome, self._hints):
            part.repaint(palette)

    def on_resize(self, event: events.Resize) -> None:
        """Choose where the page stands: beside the calls, below them, or on its own."""
        beside = event.size.width >= BESIDE_FROM_WIDTH
        self.set_class(beside, "-beside")
        self.set_class(not beside and event.size.height >= BELOW_FROM_HEIGHT, "-below")
        self.call_after_refresh(self.show, self._board)

    def _pulse(self) -> None:
        self._page.pulse()
        if self._board.incoming:
            self._bright = not self._bright
            self._incoming.show(self._board.incoming, bright=self._bright)

    @on(CallsTable.Selected)
    def _on_selected(self) -> None:
        self._show_selected()

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
        board = self._board
        view = board.view(self._table.selected)
        selected = view.call if view else None
        waiting, bridge = board.incoming, self._shared.bridge
        pull = self._pulls.get(selected.trouble.model) if selected and selected.trouble else None
        return Situation(
            ready=self._shared.bridge is not None,
            selected=selected,
            incoming=selected if selected in waiting else waiting[0] if waiting else None,
            calls=len(board.views),
            live=board.live,
            monitored=sum(view.call.monitor in (MonitorState.ON, MonitorState.STARTING) for view in board.views),
            modes=self._shared.bridge.engine.modes if self._shared.bridge else (),
            page_open=self.has_class("-page"),
            page_shown=any(self.has_class(name) for name in ("-page", "-below", "-beside")),
            pane=self._page.pane.value,
            said=bool(selected and bridge and bridge.history(selected.call_id).dialogue),
            traced=bool(selected and self._trace()),
            pulling=pull is not None and pull.running,
            ended_hidden=self._hide_ended,
        )

    def _applies(self, name: str) -> bool:
        reason = BY_NAME[name].why_not(self.situation)
        if reason is not None:
            self.notify(reason, markup=False, timeout=4)
        return reason is None

    def _selected_call(self) -> ConsoleCall | None:
        bridge = self._shared.bridge
        return bridge.engine.calls.get(self._table.selected or "") if bridge else None

    @work
    async def _do(self, deed: Callable[[], Awaitable[object]], failure: str) -> None:
        """Carry a command out without keeping the screen waiting; what goes wrong is said in plain words."""
        try:
            await deed()
        except Exception as error:
            self.notify(explain(error), title=failure, severity="error", markup=False)
        if self._shared.bridge is not None:
            self._shared.bridge.poll()

    # ---- calls ----

    def action_dial(self) -> None:
        """Ask whom to call."""
        bridge = self._shared.bridge
        if not self._applies("dial") or bridge is None:
            return
        form = DialScreen(
            self._shared.palette,
            accounts=tuple(account.account for account in bridge.engine.accounts()),
            modes=bridge.engine.modes,
            mode=self._shared.setup.mode,
            history=tuple(self._shared.dialled.addresses),
        )
        self.app.push_screen(form, self._dial)

    def _dial(self, request: DialRequest | None) -> None:
        bridge = self._shared.bridge
        if request is None or bridge is None:
            return
        self._shared.dialled.remember(request.address)

        async def dial() -> None:
            call = await bridge.engine.dial(request.address, account=request.account, mode=request.mode)
            self._table.select_soon(call.snapshot().call_id)

        self._do(dial, "Cannot dial")

    def action_answer(self) -> None:
        """Take the incoming call, and select it."""
        if self._applies("answer") and (call := self._waiting_call()):
            self._do(call.answer, "Cannot answer")

    def action_reject(self) -> None:
        """Turn the incoming call down."""
        if self._applies("reject") and (call := self._waiting_call()):
            self._do(call.reject, "Cannot reject")

    def _waiting_call(self) -> ConsoleCall | None:
        waiting, bridge = self.situation.incoming, self._shared.bridge
        if waiting is None or bridge is None:
            return None
        self._table.select(waiting.call_id)
        return bridge.engine.calls.get(waiting.call_id)

    def action_hang_up(self) -> None:
        """End the selected call."""
        if self._applies("hang_up") and (call := self._selected_call()):
            self._do(call.hang_up, "Cannot hang up")

    def action_hold(self) -> None:
        """Put the other side on hold, or take the call back."""
        if self._applies("hold") and (call := self._selected_call()):
            on = call.snapshot().held_by not in (Holder.US, Holder.BOTH)
            self._do(lambda: call.hold(on), "Cannot hold" if on else "Cannot resume")

    def action_transfer(self) -> None:
        """Ask where the other side is to go."""
        bridge, call = self._shared.bridge, self._selected_call()
        if not self._applies("transfer") or bridge is None or call is None:
            return
        snapshot = call.snapshot()
        others = [
            view.call
            for view in self._board.views
            if view.call.state is CallState.CONNECTED and view.call.call_id != snapshot.call_id
        ]
        form = TransferScreen(self._shared.palette, snapshot, others, self._shared.setup.now())
        self.app.push_screen(form, lambda request: self._transfer(call, request))

    def _transfer(self, call: ConsoleCall, request: TransferRequest | None) -> None:
        bridge = self._shared.bridge
        if request is None or bridge is None:
            return
        if not request.call_id:
            self._do(lambda: call.transfer(request.address), "Not transferred")
        elif (other := bridge.engine.calls.get(request.call_id)) is not None:
            self._do(lambda: call.transfer_to(other), "Not transferred")

    def action_monitor(self) -> None:
        """Put the selected call on the speakers, or take it off."""
        if self._applies("monitor") and (call := self._selected_call()):
            on = call.snapshot().monitor not in (MonitorState.ON, MonitorState.STARTING)
            self._do(lambda: call.monitor(on), "Cannot play on the speakers")

    def action_choose_mode(self) -> None:
        """Show the modes to choose from."""
        if not self._applies("choose_mode") or (call := self._selected_call()) is None:
            return
        modes, snapshot = self.situation.modes, call.snapshot()
        current = modes.index(snapshot.mode) if snapshot.mode in modes else None
        chooser = ChooseScreen(f"Mode for {words.peer(snapshot)}", modes, current=current)
        self.app.push_screen(chooser, lambda place: self._switch(call, modes[place]) if place is not None else None)

    def action_switch_mode(self, number: int) -> None:
        """Switch the selected call to the mode of this number."""
        modes = self.situation.modes
        if not self._applies("choose_mode") or (call := self._selected_call()) is None:
            return
        if number > len(modes):
            self.notify(
                f"There is no mode {number}: there are {words.count(len(modes), 'mode')}.", markup=False, timeout=4
            )
        else:
            self._switch(call, modes[number - 1])

    def _switch(self, call: ConsoleCall, mode: str) -> None:
        self._do(lambda: call.set_mode(mode), "Cannot switch the mode")

    def action_keypad(self) -> None:
        """Show the telephone keys."""
        if self._applies("keypad") and (call := self._selected_call()):

            def press(key: str) -> None:
                self._do(lambda: call.send_dtmf(key), "Cannot press keys")

            self.app.push_screen(KeypadScreen(words.peer(call.snapshot()), press))

    @work
    async def action_pull_model(self) -> None:
        """Fetch the model that the selected call lacks; its progress stands on the page of each call that lacks it."""
        bridge, selected = self._shared.bridge, self.situation.selected
        if not self._applies("pull_model") or bridge is None or selected is None or selected.trouble is None:
            return
        what, model = words.one_line(selected.trouble.what), selected.trouble.model
        if model is None:
            return
        looking = self.set_interval(PULL_LOOK_S, self._show_selected)
        try:
            pull = await self._pulls.run(bridge.engine, model, self._show_selected)
        finally:
            looking.stop()
        if pull.failure:
            self.notify(pull.failure, title=f"Cannot pull {words.clean(model)}", severity="error", markup=False)
        else:
            self.notify(f"{what} is here.", markup=False)
        bridge.poll()

    def action_save_dialogue(self) -> None:
        """Write what was said on the selected call, and its SIP messages, to a text file."""
        bridge, call = self._shared.bridge, self._selected_call()
        if not self._applies("save_dialogue") or bridge is None or call is None:
            return
        folder, snapshot = self._shared.setup.pictures_folder, call.snapshot()
        try:
            lines = bridge.history(snapshot.call_id).dialogue
            file = save(folder, snapshot, lines, self._shared.setup.now(), call.trace())
        except OSError as error:
            self.notify(
                f"Cannot write to {folder}: {error.strerror}.", title="Not saved", severity="error", markup=False
            )
        else:
            self.notify(f"Saved as {file}", markup=False)

    # ---- view ----

    def action_next_pane(self) -> None:
        """Show the next pane of the page."""
        if self._applies("next_pane"):
            self.action_show_pane(self._page.pane.next)

    def action_last_pane(self) -> None:
        """Show the pane before."""
        if self._applies("last_pane"):
            self.action_show_pane(self._page.pane.before)

    def action_show_pane(self, pane: str) -> None:
        """Show a pane by its name."""
        self._page.choose(Pane(pane))
        self._show_selected()

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
        if self.situation.page_shown:
            self._page.scroll(pages)
            self.call_after_refresh(self._show_selected)
        else:
            calls = len(self._board.views)
            self._table.move(round(max(-calls, min(calls, pages * max(1, self._table.size.height - 2)))))

    def action_open_page(self) -> None:
        """Give the selected call the whole screen; from its SIP pane, open the latest message."""
        if self.has_class("-page") and self._page.pane is Pane.SIP:
            self.action_open_message(len(self._trace()) - 1)
        elif self._applies("open_page"):
            self.add_class("-page")
            self._show_selected()

    def action_open_message(self, place: int) -> None:
        """Show a SIP message of the selected call by its place."""
        entries = self._trace()
        if 0 <= place < len(entries):
            self.app.push_screen(MessageScreen(self._shared.palette, entries, place))

    def action_close_page(self) -> None:
        """Back to the list."""
        self.remove_class("-page")
        self._show_selected()

    def action_next_call(self) -> None:
        """Select the next call."""
        self._table.move(1)

    def action_previous_call(self) -> None:
        """Select the call before."""
        self._table.move(-1)

    def action_toggle_ended(self) -> None:
        """Leave ended calls out of the list, or bring them back."""
        self._hide_ended = not self._hide_ended
        ended = sum(view.call.state is CallState.ENDED for view in self._board.views)
        if not ended:
            self.notify(
                "Ended calls are hidden from now on." if self._hide_ended else "Ended calls are shown.", timeout=3
            )
        self.show(self._board)

    # ---- speakers ----

    def action_volume_up(self) -> None:
        """Louder."""
        self._change_volume("volume_up", VOLUME_STEP)

    def action_volume_down(self) -> None:
        """Quieter."""
        self._change_volume("volume_down", -VOLUME_STEP)

    def _change_volume(self, action: str, step: float) -> None:
        bridge = self._shared.bridge
        if not self._applies(action) or bridge is None:
            return
        volume = round(min(1.0, max(0.0, self._shared.volume + step)), 2)
        self._shared.volume = volume
        self._do(lambda: bridge.engine.set_monitor_volume(volume), "Cannot change the volume")
        bar = "█" * round(volume * 10) + "░" * (10 - round(volume * 10))
        self.app.clear_notifications()
        self.notify(f"♪ {bar} {volume:.0%}", markup=False, timeout=2)

    def action_choose_speaker(self) -> None:
        """Ask which device calls are heard on."""
        bridge = self._shared.bridge
        if not self._applies("choose_speaker") or bridge is None:
            return

        async def choose() -> None:
            names: list[str | None] = [None, *(device.name for device in await bridge.engine.output_devices())]

            def chosen(place: int | None) -> None:
                if place is not None:
                    self._do(lambda: bridge.engine.set_monitor_device(names[place]), "Cannot use these speakers")

            titles = [words.clean(name) if name else "the system's choice" for name in names]
            self.app.push_screen(ChooseScreen("Speakers for listening in", titles), chosen)

        self._do(choose, "No speakers")

    # ---- console ----

    def action_show_log(self) -> None:
        """Show everything that happened."""
        bridge = self._shared.bridge
        peers: dict[str, str] = {}

        def read() -> list[tuple[LogLine, str]]:
            peers.update({view.call.call_id: words.peer(view.call) for view in self._board.views})
            return [(line, peers.get(line.call_id or "", "")) for line in bridge.lines] if bridge else []

        self.app.push_screen(LogScreen(self._shared.palette, read))

    def action_show_info(self) -> None:
        """Show what the console runs with."""
        self.app.push_screen(
            InfoScreen(self._shared.palette, (*live_facts(self._board, self._shared.volume), *self._shared.setup.facts))
        )

    def action_show_help(self) -> None:
        """Show every key."""
        self.app.push_screen(HelpScreen(self._shared.palette))

    def action_switch_theme(self) -> None:
        """Dark or light."""
        self.app.theme = "day" if self.app.current_theme.dark else "night"

    def action_take_picture(self) -> None:
        """Save the screen as SVG."""
        folder = self._shared.setup.pictures_folder
        try:
            name = f"voip-tui-{datetime.now():%Y%m%d-%H%M%S}.svg"
            saved = self.app.save_screenshot(name, path=str(folder))
        except OSError as error:
            self.notify(
                f"Cannot write to {folder}: {error.strerror}.", title="No picture", severity="error", markup=False
            )
        else:
            self.notify(f"Saved as {saved}", markup=False)

    async def action_command_palette(self) -> None:
        """Search all commands."""
        await self.app.run_action("command_palette")

    async def action_leave(self) -> None:
        """Leave, after asking when calls are up."""
        await self.app.run_action("leave")
