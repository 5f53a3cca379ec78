"""What becomes of answers to an INVITE of ours that come when its call is over (RFC 3261 §13.2.2.4)."""

from __future__ import annotations

from voip_engine.sip.flow import Flow, Transport
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.sessions.dialog import Dialog, Sequence
from voip_engine.sip.sessions.dialog_requests import DialogRequests


class Stragglers:
    """Hangs up on every branch that still answers. Kept for half a minute after each call, so it holds little."""

    __slots__ = ("_invite", "_requests", "_sequence", "_transport")

    def __init__(self, requests: DialogRequests, invite: Request, transport: Transport, sequence: Sequence) -> None:
        self._requests = requests
        self._invite = invite
        self._transport = transport
        self._sequence = sequence

    def on_provisional(self, response: Response, flow: Flow, now: float) -> None:
        """A branch that is given up may ring on."""

    def dialog_of(self, response: Response, flow: Flow) -> Dialog:
        """Make the dialog to acknowledge and end."""
        dialog = Dialog.from_response(self._invite, response, self._transport, self._sequence)
        dialog.heard_from(response, flow)
        return dialog

    def amended(self, request: Request, response: Response, cseq: int) -> Request | None:
        """Nothing is sent again."""
        return None

    def on_redirect(self, response: Response, now: float) -> bool:
        """The call goes nowhere else."""
        return False

    def on_success(self, response: Response, dialog: Dialog, flow: Flow, now: float) -> None:
        """A branch has answered after all."""
        self._requests.send(dialog, dialog.build("BYE"), now)

    def on_failure(self, status: int, reason: str, now: float) -> None:
        """That is what was wanted."""
