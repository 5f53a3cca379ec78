"""Sessions by name and by dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voip_engine.sip.messages.message import Request
from voip_engine.sip.sessions.dialog import DialogId

if TYPE_CHECKING:
    from voip_engine.sip.sessions.session import Session


class SessionIndex:
    """All sessions of one core. A dialog is found by Call-ID and both tags, so that nobody else can end a call."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._dialogs: dict[DialogId, Session] = {}
        self._ids: dict[str, list[DialogId]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def name_for(self, call_id: str) -> str:
        """Return a name for a session: its Call-ID, which both ends of a call from us to us would share."""
        name, number = call_id, 1
        while name in self._sessions:
            number += 1
            name = f"{call_id};{number}"
        return name

    def add(self, session: Session) -> None:
        """File a session under its name."""
        self._sessions[session.id] = session

    def add_dialog(self, dialog: DialogId, session: Session) -> None:
        """File a dialog of a session."""
        self._dialogs[dialog] = session
        self._ids.setdefault(session.id, []).append(dialog)

    def get(self, name: str) -> Session | None:
        """Return the session of this name."""
        return self._sessions.get(name)

    def knows(self, call_id: str) -> bool:
        """Whether there is a session of this Call-ID."""
        return call_id in self._sessions or f"{call_id};2" in self._sessions

    def find(self, dialog: DialogId) -> Session | None:
        """Return the session that has this dialog."""
        return self._dialogs.get(dialog)

    def drop_dialogs(self, session: Session) -> None:
        """Forget a session's early dialogs: one of them was answered."""
        for dialog in self._ids.pop(session.id, ()):
            self._dialogs.pop(dialog, None)

    def remove(self, session: Session) -> None:
        """Forget a session and its dialogs; one that is forgotten already is no error."""
        if self._sessions.get(session.id) is not session:
            return
        del self._sessions[session.id]
        self.drop_dialogs(session)


def dialog_id(request: Request) -> DialogId:
    """Return the dialog that a request of theirs names, as we see it."""
    return (request.call_id, request.to.tag or "", request.from_.tag or "")
