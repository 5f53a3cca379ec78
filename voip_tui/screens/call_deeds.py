"""What the keys of the main screen do to calls. Each looks first whether it applies, and says so if not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voip_engine import EngineError
from voip_engine.snapshots import CallState, Holder
from voip_tui import words
from voip_tui.bridge import ConsoleCall
from voip_tui.screens.choose import ChooseScreen
from voip_tui.screens.dial import DialRequest, DialScreen
from voip_tui.screens.keypad import KeypadScreen
from voip_tui.screens.transfer import TransferRequest, TransferScreen

if TYPE_CHECKING:
    from voip_tui.screens.main import MainScreen

PULL_LOOK_S = 0.2


def dial(screen: MainScreen) -> None:
    """Ask whom to call."""
    if screen.applies("dial"):
        _open_form(screen)


def call_back(screen: MainScreen) -> None:
    """Ask whether to call the other side of a call that is over, by the same account."""
    if screen.applies("call_back") and (call := screen.selected_call()):
        _open_form(screen, words.identity(call.snapshot())[1], call.snapshot().account)


def register_again(screen: MainScreen) -> None:
    """Register now what failed to."""
    bridge = screen.shared.bridge
    if not screen.applies("register_again") or bridge is None:
        return

    async def register() -> None:
        names = ", ".join(words.bare_uri(account) for account in bridge.register_again())
        screen.notify(f"Registering {names} …", markup=False, timeout=4)

    screen.do(register, "Cannot register")


def _open_form(screen: MainScreen, address: str = "", account: str | None = None) -> None:
    bridge = screen.shared.bridge
    if bridge is None:
        return
    form = DialScreen(
        screen.shared.palette,
        accounts=tuple(account.account for account in bridge.engine.accounts()),
        modes=bridge.engine.modes,
        mode=screen.shared.setup.mode,
        history=tuple(screen.shared.dialled.addresses),
        address=address,
        account=account,
        place=lambda request: screen.do(lambda: _place(screen, form, request), "Cannot dial"),
    )
    screen.open(form)


async def _place(screen: MainScreen, form: DialScreen, request: DialRequest) -> None:
    """Dial, and close the form; where that is refused it stays open and says why."""
    bridge = screen.shared.bridge
    if bridge is None:
        return
    try:
        call = await bridge.engine.dial(request.address, account=request.account, mode=request.mode)
    except EngineError as error:
        if not form.is_current:
            raise
        form.refuse(str(error))
        return
    screen.shared.dialled.remember(request.address)
    screen.table.select_soon(call.snapshot().call_id)
    form.dismiss(None)


def answer(screen: MainScreen) -> None:
    """Take the incoming call, and select it."""
    if screen.applies("answer") and (call := _waiting_call(screen)):
        screen.do(call.answer, "Cannot answer")


def reject(screen: MainScreen) -> None:
    """Turn the incoming call down."""
    if screen.applies("reject") and (call := _waiting_call(screen)):
        screen.do(call.reject, "Cannot reject")


def _waiting_call(screen: MainScreen) -> ConsoleCall | None:
    waiting, bridge = screen.situation.incoming, screen.shared.bridge
    if waiting is None or bridge is None:
        return None
    screen.table.select(waiting.call_id)
    return bridge.engine.calls.get(waiting.call_id)


def hang_up(screen: MainScreen) -> None:
    """End the selected call."""
    if screen.applies("hang_up") and (call := screen.selected_call()):
        screen.do(call.hang_up, "Cannot hang up")


def hold(screen: MainScreen) -> None:
    """Put the other side on hold, or take the call back."""
    if screen.applies("hold") and (call := screen.selected_call()):
        on = call.snapshot().held_by not in (Holder.US, Holder.BOTH)
        screen.do(lambda: call.hold(on), "Cannot hold" if on else "Cannot resume")


def transfer(screen: MainScreen) -> None:
    """Ask where the other side is to go."""
    bridge, call = screen.shared.bridge, screen.selected_call()
    if not screen.applies("transfer") or bridge is None or call is None:
        return
    snapshot = call.snapshot()
    others = [
        view.call
        for view in screen.board.views
        if view.call.state is CallState.CONNECTED and view.call.call_id != snapshot.call_id
    ]
    form = TransferScreen(screen.shared.palette, snapshot, others, screen.shared.setup.now())
    screen.open(form, lambda request: _transfer(screen, call, request))


def _transfer(screen: MainScreen, call: ConsoleCall, request: TransferRequest | None) -> None:
    bridge = screen.shared.bridge
    if request is None or bridge is None:
        return

    async def send_on() -> None:
        await call.transfer(request.address)
        _leave(screen, call.snapshot().call_id)

    if not request.call_id:
        screen.do(send_on, "Not transferred")
    elif (other := bridge.engine.calls.get(request.call_id)) is not None:
        screen.do(lambda: _join(call, other), "Not transferred")


async def _join(call: ConsoleCall, other: ConsoleCall) -> None:
    for each in (call.snapshot(), other.snapshot()):
        if each.state is CallState.ENDED:
            raise EngineError(words.gone(each))
    await call.transfer_to(other)


def _leave(screen: MainScreen, call_id: str) -> None:
    """Go from a call that was sent on to the latest of those that are up, unless the cursor is elsewhere already."""
    live = [view.call for view in screen.board.views if view.call.state is not CallState.ENDED]
    others = [each for each in live if each.call_id != call_id]
    if others and screen.table.selected == call_id:
        screen.table.select(max(others, key=lambda each: each.created_at).call_id)


def choose_mode(screen: MainScreen) -> None:
    """Show the modes to choose from."""
    if not screen.applies("choose_mode") or (call := screen.selected_call()) is None:
        return
    modes, snapshot = screen.situation.modes, call.snapshot()
    current = modes.index(snapshot.mode) if snapshot.mode in modes else None
    chooser = ChooseScreen(f"Mode for {words.peer(snapshot)}", modes, current=current)
    screen.open(chooser, lambda place: _switch(screen, call, modes[place]) if place is not None else None)


def switch_mode(screen: MainScreen, number: int) -> None:
    """Switch the selected call to the mode of this number."""
    modes = screen.situation.modes
    if not screen.applies("choose_mode") or (call := screen.selected_call()) is None:
        return
    if number > len(modes):
        screen.notify(
            f"There is no mode {number}: there are {words.count(len(modes), 'mode')}.", markup=False, timeout=4
        )
    else:
        _switch(screen, call, modes[number - 1])


def _switch(screen: MainScreen, call: ConsoleCall, mode: str) -> None:
    screen.do(lambda: call.set_mode(mode), "Cannot switch the mode")


def keypad(screen: MainScreen) -> None:
    """Show the telephone keys."""
    if screen.applies("keypad") and (call := screen.selected_call()):

        def press(key: str) -> None:
            screen.do(lambda: call.send_dtmf(key), "Cannot press keys")

        screen.open(KeypadScreen(words.peer(call.snapshot()), press))


async def pull_model(screen: MainScreen) -> None:
    """Fetch the model that the selected call lacks; its progress stands on the page of each call that lacks it."""
    bridge, selected = screen.shared.bridge, screen.situation.selected
    if not screen.applies("pull_model") or bridge is None or selected is None or selected.trouble is None:
        return
    what, model = words.one_line(selected.trouble.what), selected.trouble.model
    if model is None:
        return
    looking = screen.set_interval(PULL_LOOK_S, screen.show_selected)
    try:
        pull = await screen.pulls.run(bridge.engine, model, screen.show_selected)
    finally:
        looking.stop()
    if pull.failure:
        screen.notify(pull.failure, title=f"Cannot pull {words.clean(model)}", severity="error", markup=False)
    else:
        screen.notify(f"{what} is here.", markup=False)
    bridge.poll()
