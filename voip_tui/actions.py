"""Every action of the console in one table: its key, its words, and when it applies.

Bindings, key hints, the help screen and the command palette are all made from this table, so none of them can lack an
action.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voip_tui.situation import (
    Situation,
    always,
    answered,
    hold_hint,
    listen_hint,
    live,
    monitored,
    over,
    page_hint,
    page_shown,
    pane_hint,
    pullable,
    ready,
    save_hint,
    say,
    selected,
    several,
    silent,
    unregistered,
    waiting,
    when_applicable,
    worth_keeping,
)


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
    why_not = answered(verb) if connected else live(verb)
    word = when_applicable(hint, why_not) if isinstance(hint, str) else hint
    return Action(name, keys, title, explanation, "This call", word, why_not, priority)


ACTIONS: tuple[Action, ...] = (
    Action(
        "dial",
        ("d",),
        "Dial",
        "Call an address, or a number at a provider.",
        "Calls",
        when_applicable("dial", ready),
        ready,
        2,
    ),
    Action(
        "answer",
        ("a",),
        "Answer",
        "Take the incoming call.",
        "Calls",
        when_applicable("answer", waiting("answer")),
        waiting("answer"),
        0,
    ),
    Action(
        "reject",
        ("r",),
        "Reject",
        "Turn the incoming call down as busy.",
        "Calls",
        when_applicable("reject", waiting("reject")),
        waiting("reject"),
        0,
    ),
    Action(
        "call_back",
        ("c",),
        "Call back",
        "Dial the other side of a call that is over.",
        "Calls",
        when_applicable("call back", over),
        over,
        3,
    ),
    Action(
        "register_again",
        ("n",),
        "Register now",
        "Try again now what failed to register.",
        "Calls",
        when_applicable("register", unregistered),
        unregistered,
        7,
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
        listen_hint,
        "listen to",
        priority=4,
    ),
    _call_action("hold", ("h",), "Hold", "Put the other side on hold, or come back.", hold_hint, "hold", priority=5),
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
        when_applicable("pull", pullable),
        pullable,
        2,
    ),
    Action(
        "save_dialogue",
        ("w",),
        "Save as text",
        "Write dialogue and SIP messages to a text file.",
        "This call",
        save_hint,
        worth_keeping,
        7,
    ),
    Action(
        "open_page",
        ("enter",),
        "Open the call",
        "Its page; from there the latest SIP message.",
        "View",
        page_hint,
        selected,
        4,
    ),
    Action(
        "close_page",
        ("escape",),
        "Back",
        "Back to the list of calls.",
        "View",
        lambda situation: "back" if situation.page_open else "",
        always,
        1,
    ),
    Action(
        "next_pane",
        ("tab",),
        "Next pane",
        "Dialogue, turns, line, log, SIP messages.",
        "View",
        pane_hint,
        page_shown,
        4,
    ),
    Action("last_pane", ("shift+tab",), "Pane before", "The same, the other way.", "View", silent, page_shown),
    Action("scroll_back", ("pageup",), "Scroll back", "Read what was said before.", "View", silent, always),
    Action("scroll_on", ("pagedown",), "Scroll on", "Back towards the latest.", "View", silent, always),
    Action("scroll_end", ("end",), "Latest", "Go to the latest, and follow it.", "View", silent, always),
    Action("next_call", ("j", "down"), "Next call", "Select the next call.", "View", silent, several),
    Action("previous_call", ("k", "up"), "Previous call", "Select the call before.", "View", silent, several),
    Action(
        "toggle_ended",
        ("e",),
        "Ended calls",
        "Whether calls that are over stay listed.",
        "View",
        lambda situation: "show ended" if situation.ended_hidden else "",
        always,
        7,
    ),
    Action(
        "volume_up",
        ("plus", "equals_sign"),
        "Louder",
        "Turn the speakers up.",
        "Speakers",
        when_applicable("louder", monitored),
        monitored,
        7,
    ),
    Action(
        "volume_down",
        ("minus",),
        "Quieter",
        "Turn the speakers down.",
        "Speakers",
        when_applicable("quieter", monitored),
        monitored,
        7,
    ),
    Action("choose_speaker", ("s",), "Speakers", "Pick the device that calls are heard on.", "Speakers", silent, ready),
    Action("show_log", ("g",), "Log", "What happened on all calls and accounts.", "Console", say("log"), always, 6),
    Action("show_info", ("i",), "Settings", "Addresses, accounts, modes, files in use.", "Console", silent, always, 8),
    Action(
        "switch_theme",
        ("ctrl+t",),
        "Dark or light",
        "Switch between the dark and the light theme.",
        "Console",
        silent,
        always,
        9,
    ),
    Action(
        "take_picture", ("ctrl+s",), "Picture", "Save a picture of the screen as SVG.", "Console", silent, always, 9
    ),
    Action(
        "command_palette",
        ("ctrl+p",),
        "Find a command",
        "Search all of these by name.",
        "Console",
        say("commands"),
        always,
        8,
    ),
    Action("show_help", ("question_mark", "f1"), "Help", "This list.", "Console", say("help"), always, 1),
    Action(
        "leave",
        ("q", "ctrl+q", "ctrl+c"),
        "Quit",
        "Leave; with calls up it asks first.",
        "Console",
        say("quit"),
        always,
        1,
    ),
)

BY_NAME = {action.name: action for action in ACTIONS}


def hints(situation: Situation) -> list[tuple[Action, str]]:
    """The actions that the footer names in this situation, with their word."""
    return [(action, word) for action in ACTIONS if (word := action.hint(situation))]
