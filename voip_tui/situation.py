"""What actions can be about right now, and why one does not apply: in plain words, None where it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voip_engine.snapshots import CallSnapshot, CallState, Holder, MonitorState


@dataclass(frozen=True, slots=True)
class Situation:
    """What an action's applicability depends on."""

    ready: bool = False
    selected: CallSnapshot | None = None
    incoming: CallSnapshot | None = None
    """The incoming call that `answer` and `reject` mean: the selected one, or else the one that waits longest."""
    calls: int = 0
    live: int = 0
    monitored: int = 0
    modes: tuple[str, ...] = ()
    page_open: bool = False
    page_shown: bool = False
    """Whether a call's page is in sight, on its own or beside the list."""
    pane: str = ""
    said: bool = False
    """Whether the selected call has a dialogue."""
    traced: bool = False
    """Whether the SIP messages of the selected call are known."""
    pulling: bool = False
    """Whether the model that the selected call lacks is being fetched."""
    ended_hidden: bool = False
    accounts: int = 0
    failed_accounts: int = 0


def always(_: Situation) -> str | None:
    """What applies at any time."""
    return None


def ready(situation: Situation) -> str | None:
    """What needs an engine."""
    return None if situation.ready else "The engine is still starting."


def selected(situation: Situation) -> str | None:
    """What needs a selected call."""
    return None if situation.selected else "No call is selected."


def live(verb: str) -> Callable[[Situation], str | None]:
    """What needs a selected call that is not over; `verb` is what one would do to it."""

    def why_not(situation: Situation) -> str | None:
        if situation.selected is None:
            return f"There is no call to {verb}."
        if situation.selected.state is CallState.ENDED:
            return "This call is already over."
        return None

    return why_not


def over(situation: Situation) -> str | None:
    """What needs a selected call that has ended."""
    if situation.selected is None:
        return "No call is selected."
    return None if situation.selected.state is CallState.ENDED else "This call is not over yet."


def unregistered(situation: Situation) -> str | None:
    """What needs an account that could not register."""
    if not situation.accounts:
        return "There is no account to register."
    return None if situation.failed_accounts else "No account has failed to register."


def answered(verb: str) -> Callable[[Situation], str | None]:
    """What needs a selected call that is answered."""
    alive = live(verb)

    def why_not(situation: Situation) -> str | None:
        if (reason := alive(situation)) is not None:
            return reason
        if situation.selected is not None and situation.selected.state is not CallState.CONNECTED:
            return "This call is not answered yet."
        return None

    return why_not


def waiting(verb: str) -> Callable[[Situation], str | None]:
    """What needs a call that waits for an answer."""
    return lambda situation: None if situation.incoming else f"Nobody is waiting for an answer: no call to {verb}."


def monitored(situation: Situation) -> str | None:
    """What needs a call on the speakers."""
    return None if situation.monitored else "No call is on the speakers: press l to listen to one first."


def say(word: str) -> Callable[[Situation], str]:
    """Always this word."""
    return lambda _: word


def silent(_: Situation) -> str:
    """No word: the footer has better things to show."""
    return ""


def when_applicable(word: str, why_not: Callable[[Situation], str | None]) -> Callable[[Situation], str]:
    """This word where the action applies, else none."""
    return lambda situation: "" if why_not(situation) else word


def hold_hint(situation: Situation) -> str:
    """Hold or resume, whichever a key press would do."""
    if answered("hold")(situation):
        return ""
    return "resume" if situation.selected and situation.selected.held_by in (Holder.US, Holder.BOTH) else "hold"


def listen_hint(situation: Situation) -> str:
    """Listen, or stop that."""
    if answered("listen to")(situation):
        return ""
    on = situation.selected and situation.selected.monitor in (MonitorState.ON, MonitorState.STARTING)
    return "stop listening" if on else "listen"


def page_hint(situation: Situation) -> str:
    """What enter opens."""
    if situation.selected and situation.page_open and situation.pane == "sip":
        return "message"
    return "open" if situation.selected and not situation.page_open else ""


def page_shown(situation: Situation) -> str | None:
    """What needs a call's page in sight."""
    if situation.selected is None:
        return "No call is selected."
    return None if situation.page_shown else "Open a call first: enter."


def pane_hint(situation: Situation) -> str:
    """The pane that comes next."""
    if page_shown(situation):
        return ""
    return PANE_AFTER.get(situation.pane, "")


PANE_AFTER = {"dialogue": "turns", "turns": "line", "line": "call log", "log": "SIP", "sip": "dialogue"}


def pullable(situation: Situation) -> str | None:
    """What needs a model that is lacking and can be fetched."""
    if situation.selected is None:
        return "No call is selected."
    trouble = situation.selected.trouble
    if trouble is None:
        return "This call lacks nothing."
    if trouble.model is None:
        return f"This cannot be fetched from here. It is mended by: {trouble.mend}" if trouble.mend else trouble.detail
    return "It is being fetched already." if situation.pulling else None


def worth_keeping(situation: Situation) -> str | None:
    """What needs something to save of the selected call."""
    if situation.selected is None:
        return "No call is selected."
    return None if situation.said or situation.traced else "There is nothing to save of this call yet."


def save_hint(situation: Situation) -> str:
    """Save, where what would be saved is in sight, or the call is over and little else applies."""
    shown = over(situation) is None or (situation.page_shown and situation.pane in ("dialogue", "sip"))
    return "save" if shown and worth_keeping(situation) is None else ""


def several(situation: Situation) -> str | None:
    """What needs calls."""
    return None if situation.calls else "There are no calls."
