"""Every action of the console in one table: its key, its words, and when it applies.

Bindings, key hints, the help screen and the command palette are all made from this table, so none of them can lack an
action.
"""

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
    traced: bool = False
    """Whether the SIP messages of the selected call are known."""
    """Whether the selected call has a dialogue."""
    pulling: bool = False
    """Whether the model that the selected call lacks is being fetched."""
    ended_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that the operator can do. `why_not` says in plain words why it does not apply; None if it does."""

    name: str
    keys: tuple[str, ...]
    title: str
    explanation: str
    group: str
    hint: Callable[[Situation], str]
    """The word beside the key in the footer, or an empty text where the footer has better things to show."""
    why_not: Callable[[Situation], str | None]
    priority: int = 5
    """Which hints stay when the footer is narrow: low numbers stay longest."""

    @property
    def key_title(self) -> str:
        """The first key as it is printed."""
        return key_title(self.keys[0])


KEY_TITLES = {
    "question_mark": "?",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "slash": "/",
    "enter": "⏎",
    "escape": "esc",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "delete": "del",
    "shift+tab": "⇧tab",
    "pageup": "pgup",
    "pagedown": "pgdn",
}


def key_title(key: str) -> str:
    """A key as it is printed: `?`, `⏎`, `^p`."""
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+")
    return KEY_TITLES.get(key, key)


def _always(_: Situation) -> str | None:
    return None


def _ready(situation: Situation) -> str | None:
    return None if situation.ready else "The engine is still starting."


def _selected(situation: Situation) -> str | None:
    return None if situation.selected else "No call is selected."


def _live(verb: str) -> Callable[[Situation], str | None]:
    def why_not(situation: Situation) -> str | None:
        if situation.selected is None:
            return f"There is no call to {verb}."
        if situation.selected.state is CallState.ENDED:
            return "This call is already over."
        return None

    return why_not


def _connected(verb: str) -> Callable[[Situation], str | None]:
    alive = _live(verb)

    def why_not(situation: Situation) -> str | None:
        if (reason := alive(situation)) is not None:
            return reason
        if situation.selected is not None and situation.selected.state is not CallState.CONNECTED:
            return "This call is not answered yet."
        return None

    return why_not


def _waiting(verb: str) -> Callable[[Situation], str | None]:
    return lambda situation: None if situation.incoming else f"Nobody is waiting for an answer: no call to {verb}."


def _monitored(situation: Situation) -> str | None:
    return None if situation.monitored else "No call is on the speakers: press l to listen to one first."


def _say(word: str) -> Callable[[Situation], str]:
    return lambda _: word


def _silent(_: Situation) -> str:
    return ""


def _when_applicable(word: str, why_not: Callable[[Situation], str | None]) -> Callable[[Situation], str]:
    return lambda situation: "" if why_not(situation) else word


def _call_action(
    name: str,
    keys: tuple[str, ...],
    title: str,
    explanation: str,
    hint: Callable[[Situation], str] | str,
    verb: str,
    *,
    priority: int = 5,
    connected: bool = True,
) -> Action:
    why_not = _connected(verb) if connected else _live(verb)
    word = _when_applicable(hint, why_not) if isinstance(hint, str) else hint
    return Action(name, keys, title, explanation, "This call", word, why_not, priority)


def _hold_hint(situation: Situation) -> str:
    if _connected("hold")(situation):
        return ""
    return "resume" if situation.selected and situation.selected.held_by in (Holder.US, Holder.BOTH) else "hold"


def _listen_hint(situation: Situation) -> str:
    if _connected("listen to")(situation):
        return ""
    on = situation.selected and situation.selected.monitor in (MonitorState.ON, MonitorState.STARTING)
    return "stop listening" if on else "listen"


def _page_hint(situation: Situation) -> str:
    if situation.selected and situation.page_open and situation.pane == "sip":
        return "message"
    return "open" if situation.selected and not situation.page_open else ""


def _page_shown(situation: Situation) -> str | None:
    if situation.selected is None:
        return "No call is selected."
    return None if situation.page_shown else "Open a call first: enter."


def _pane_hint(situation: Situation) -> str:
    if _page_shown(situation):
        return ""
    return PANE_AFTER.get(situation.pane, "")


PANE_AFTER = {"dialogue": "turns", "turns": "line", "line": "call log", "log": "SIP", "sip": "dialogue"}


def _pullable(situation: Situation) -> str | None:
    if situation.selected is None:
        return "No call is selected."
    trouble = situation.selected.trouble
    if trouble is None:
        return "This call lacks nothing."
    if trouble.model is None:
        return f"This cannot be fetched from here. It is mended by: {trouble.mend}" if trouble.mend else trouble.detail
    return "It is being fetched already." if situation.pulling else None


def _worth_keeping(situation: Situation) -> str | None:
    if situation.selected is None:
        return "No call is selected."
    return None if situation.said or situation.traced else "There is nothing to save of this call yet."


def _save_hint(situation: Situation) -> str:
    shown = situation.page_shown and situation.pane in ("dialogue", "sip")
    return "save" if shown and _worth_keeping(situation) is None else ""


def _several(situation: Situation) -> str | None:
    return None if situation.calls else "There are no calls."


ACTIONS: tuple[Action, ...] = (
    Action(
        "dial",
        ("d",),
        "Dial",
        "Call an address, or a number at a provider.",
        "Calls",
        _when_applicable("dial", _ready),
        _ready,
        2,
    ),
    Action(
        "answer",
        ("a",),
        "Answer",
        "Take the incoming call.",
        "Calls",
        _when_applicable("answer", _waiting("answer")),
        _waiting("answer"),
        0,
    ),
    Action(
        "reject",
        ("r",),
        "Reject",
        "Turn the incoming call down as busy.",
        "Calls",
        _when_applicable("reject", _waiting("reject")),
        _waiting("reject"),
        0,
    ),
    _call_action(
        "hang_up",
        ("x", "delete"),
        "Hang up",
        "End the selected call.",
        "hang up",
        "hang up",
        priority=3,
        connected=False,
    ),
    _call_action(
        "choose_mode",
        ("m",),
        "Switch mode",
        "Choose what handles the call.",
        "mode",
        "switch",
        priority=3,
        connected=False,
    ),
    _call_action(
        "monitor",
        ("l",),
        "Listen",
        "Hear the call on the local speakers, or stop.",
        _listen_hint,
        "listen to",
        priority=4,
    ),
    _call_action("hold", ("h",), "Hold", "Put the other side on hold, or come back.", _hold_hint, "hold", priority=5),
    _call_action(
        "transfer",
        ("f",),
        "Transfer",
        "Send the other side on, or join two calls.",
        "transfer",
        "transfer",
        priority=6,
    ),
    _call_action(
        "keypad", ("t",), "Keypad", "Press telephone keys (DTMF) on the call.", "tones", "press keys on", priority=6
    ),
    Action(
        "pull_model",
        ("p",),
        "Pull the model",
        "Fetch the model that the selected call lacks.",
        "This call",
        _when_applicable("pull", _pullable),
        _pullable,
        2,
    ),
    Action(
        "save_dialogue",
        ("w",),
        "Save the call",
        "Write dialogue and SIP messages to a file.",
        "This call",
        _save_hint,
        _worth_keeping,
        7,
    ),
    Action(
        "open_page",
        ("enter",),
        "Open the call",
        "Its page; from there the latest SIP message.",
        "View",
        _page_hint,
        _selected,
        4,
    ),
    Action(
        "close_page",
        ("escape",),
        "Back",
        "Back to the list of calls.",
        "View",
        lambda situation: "back" if situation.page_open else "",
        _always,
        1,
    ),
    Action(
        "next_pane",
        ("tab",),
        "Next pane",
        "Dialogue, turns, line, log, SIP messages.",
        "View",
        _pane_hint,
        _page_shown,
        4,
    ),
    Action("last_pane", ("shift+tab",), "Pane before", "The same, the other way.", "View", _silent, _page_shown),
    Action("scroll_back", ("pageup",), "Scroll back", "Read what was said before.", "View", _silent, _always),
    Action("scroll_on", ("pagedown",), "Scroll on", "Back towards the latest.", "View", _silent, _always),
    Action("scroll_end", ("end",), "Latest", "Go to the latest, and follow it.", "View", _silent, _always),
    Action("next_call", ("j", "down"), "Next call", "Select the next call.", "View", _silent, _several),
    Action("previous_call", ("k", "up"), "Previous call", "Select the call before.", "View", _silent, _several),
    Action(
        "toggle_ended",
        ("e",),
        "Ended calls",
        "Whether calls that are over stay listed.",
        "View",
        lambda situation: "show ended" if situation.ended_hidden else "",
        _always,
        7,
    ),
    Action(
        "volume_up",
        ("plus", "equals_sign"),
        "Louder",
        "Turn the speakers up.",
        "Speakers",
        _when_applicable("louder", _monitored),
        _monitored,
        7,
    ),
    Action(
        "volume_down",
        ("minus",),
        "Quieter",
        "Turn the speakers down.",
        "Speakers",
        _when_applicable("quieter", _monitored),
        _monitored,
        7,
    ),
    Action(
        "choose_speaker", ("s",), "Speakers", "Pick the device that calls are heard on.", "Speakers", _silent, _ready
    ),
    Action("show_log", ("g",), "Log", "What happened on all calls and accounts.", "Console", _say("log"), _always, 6),
    Action(
        "show_info", ("i",), "Settings", "Addresses, accounts, modes, files in use.", "Console", _silent, _always, 8
    ),
    Action(
        "switch_theme",
        ("ctrl+t",),
        "Dark or light",
        "Switch between the dark and the light theme.",
        "Console",
        _silent,
        _always,
        9,
    ),
    Action(
        "take_picture", ("ctrl+s",), "Picture", "Save a picture of the screen as SVG.", "Console", _silent, _always, 9
    ),
    Action(
        "command_palette",
        ("ctrl+p",),
        "Find a command",
        "Search all of these by name.",
        "Console",
        _say("commands"),
        _always,
        8,
    ),
    Action("show_help", ("question_mark", "f1"), "Help", "This list.", "Console", _say("help"), _always, 1),
    Action(
        "leave",
        ("q", "ctrl+q", "ctrl+c"),
        "Quit",
        "Leave; with calls up it asks first.",
        "Console",
        _say("quit"),
        _always,
        1,
    ),
)

BY_NAME = {action.name: action for action in ACTIONS}


def hints(situation: Situation) -> list[tuple[Action, str]]:
    """The actions that the footer names in this situation, with their word."""
    return [(action, word) for action in ACTIONS if (word := action.hint(situation))]
