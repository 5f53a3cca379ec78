"""Which toasts stand on the screen: the same news of several calls becomes one, and old ones make room."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.notifications import SeverityLevel

from voip_tui.words import count

SAME_AGAIN_S = 2.0
MOST_AT_ONCE = 4
NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Toast:
    """`text` is what happened, `names` whose calls it happened to. `until` is when it goes, on the clock of `Toasts`."""

    text: str
    names: tuple[str, ...] = ()
    title: str = ""
    severity: SeverityLevel = "information"
    timeout_s: float = 5.0
    markup: bool = False
    raised_at: float = 0.0

    @property
    def until(self) -> float:
        """When it goes."""
        return self.raised_at + self.timeout_s

    @property
    def message(self) -> str:
        """`Ada, Grace and 3 more: The media process was replaced.`"""
        if not self.names:
            return self.text
        shown, more = self.names[:NAMES_SHOWN], len(self.names) - NAMES_SHOWN
        return ", ".join(shown) + (f" and {count(more, 'more', 'more')}" if more > 0 else "") + f": {self.text}"


@dataclass(slots=True)
class Toasts:
    """The toasts that stand, the oldest first. `now` is any clock that counts seconds."""

    standing: tuple[Toast, ...] = ()

    def add(self, toast: Toast, now: float) -> bool | None:
        """Take one in. True: the rest stays as it is. False: all have to be shown anew. None: it was just said."""
        alive = tuple(known for known in self.standing if known.until > now)
        toast = replace(toast, raised_at=now)
        for known in alive:
            if (known.text, known.severity) != (toast.text, toast.severity):
                continue
            just_now = now - known.raised_at <= SAME_AGAIN_S
            if just_now and set(toast.names) <= set(known.names):
                return None
            # A command that failed, with its title, and then the event that tells the same of a call.
            told_twice = just_now and not known.names and not toast.title
            same_command = known.title == toast.title and (toast.title or bool(known.names) == bool(toast.names))
            same_call = not toast.title and toast.names and set(toast.names) <= set(known.names)
            if told_twice or same_command or same_call:
                names = (*known.names, *(name for name in toast.names if name not in known.names))
                merged = replace(toast, names=names, title=known.title)
                self.standing = (*(other for other in alive if other is not known), merged)
                return False
        self.standing = (*alive, toast)[-MOST_AT_ONCE:]
        return len(alive) < MOST_AT_ONCE
