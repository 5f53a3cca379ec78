"""What a dialog carries besides its call: transfers both ways, keys by INFO, and who is at the other end.

```
theirs:  REFER ─► TheirReferral ─► SessionReferred     NOTIFY ─► OurReferral ─► ReferralProgressed
         INFO ─► SessionDigitPressed                   P-Asserted-Identity ─► SessionIdentified
ours:    refer ─► REFER                                press ─► INFO ─► SessionDigitSent
```
"""

from __future__ import annotations

from collections.abc import Callable

from voip_engine.sip.effects import (
    ReferralProgressed,
    SessionDigitPressed,
    SessionDigitSent,
    SessionIdentified,
    SessionReferred,
)
from voip_engine.sip.endpoint import media_type_of
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages import info
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.identity import asserted_identity
from voip_engine.sip.messages.message import Response
from voip_engine.sip.messages.referral_headers import Referral, read_event, refer_to
from voip_engine.sip.messages.replaces import Replaces
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.dialog_requests import DialogRequests
from voip_engine.sip.sessions.referral import OurReferral, TheirReferral
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.transactions.transaction_layer import ServerTransaction

METHODS = frozenset({"REFER", "NOTIFY", "INFO"})


class SessionFeatures:
    """The features of one session. `dialog()` is its dialog while the call is up, else None."""

    def __init__(self, context: SessionContext, requests: DialogRequests, dialog: Callable[[], Dialog | None]) -> None:
        self._context = context
        self._endpoint = context.endpoint
        self._requests = requests
        self._dialog = dialog
        self._ours: OurReferral | None = None
        self._theirs: TheirReferral | None = None
        self._referred = False
        self._key_form = info.RELAY
        self._asserted: NameAddress | None = None
        self._allowed: frozenset[str] | None = None
        self._closed = False

    # ---- commands ----

    def refer(self, target: SipUri, replaces: Replaces | None, now: float) -> bool:
        """Send the other side on to `target`. False while an earlier REFER of ours is under way, or before the call is up."""
        dialog = self._dialog()
        if dialog is None or (self._ours is not None and not self._ours.over):
            return False
        self._ours = OurReferral(self._context, dialog, self._requests, self._on_progress)
        self._ours.send(refer_to(target, replaces), now)
        return True

    def their_referral(self, number: int) -> TheirReferral | None:
        """Return the REFER of theirs with this number, unless it is over."""
        referral = self._theirs
        return referral if referral is not None and referral.number == number and not referral.over else None

    def replaceable(self) -> tuple[Replaces, SipUri] | None:
        """Return how the other side knows this call, and where it is reached; None before the call is up."""
        dialog = self._dialog()
        if dialog is None or dialog.remote.tag is None:
            return None
        # What we called by way of a proxy is reached from anywhere. From says no more than what a caller wrote (RFC 5589 §7.1).
        called = dialog.route_set and self._context.owns_call_id
        target = dialog.remote.uri if called else dialog.remote_target
        return Replaces(dialog.call_id, dialog.remote.tag, dialog.local.tag or "0"), target

    @property
    def takes_info(self) -> bool:
        """Whether the other side, as far as it says, takes INFO."""
        return self._allowed is None or "INFO" in self._allowed

    def press(self, key: str, duration_ms: int, now: float) -> bool:
        """Send a key by INFO, told of as `SessionDigitSent`. False before the call is up."""
        dialog = self._dialog()
        if dialog is None:
            return False

        def on_final(status: int, response: Response | None, now: float) -> None:
            if status == 415 and self._key_form == info.RELAY:
                self._key_form = info.PLAIN
                self.press(key, duration_ms, now)
            elif not self._closed:
                self._endpoint.emit(SessionDigitSent(self._context.session, status))

        request = dialog.build("INFO")
        request.headers.add("Content-Type", self._key_form)
        request.body = info.write_key(self._key_form, key, duration_ms)
        self._requests.send(dialog, request, now, on_final)
        return True

    # ---- what comes ----

    def receive(self, transaction: ServerTransaction, now: float) -> None:
        """Take a REFER, NOTIFY or INFO within the dialog."""
        try:
            match transaction.request.method:
                case "REFER":
                    self._on_refer(transaction, now)
                case "NOTIFY":
                    self._on_notify(transaction, now)
                case _:
                    self._on_info(transaction, now)
        except MalformedHeader:
            self._endpoint.respond(transaction, 400, now)

    def introduce(self, headers: Headers, flow: Flow, now: float) -> NameAddress | None:
        """Note what the other side says of itself: the methods it takes, and where it is trusted who it is, if that is new."""
        if "Allow" in headers:
            self._allowed = frozenset(method.upper() for method in headers.get_list("Allow"))
        asserted = asserted_identity(headers) if self._endpoint.trusts(flow, now) else None
        if asserted is None or asserted == self._asserted:
            return None
        self._asserted = asserted
        return asserted

    def learn(self, headers: Headers, flow: Flow, now: float) -> None:
        """Note it, and tell who is there now."""
        asserted = self.introduce(headers, flow, now)
        if asserted is not None:
            self._endpoint.emit(SessionIdentified(self._context.session, asserted))

    def close(self, now: float) -> None:
        """End with the session, and let go of it."""
        self._closed = True
        self._dialog = lambda: None
        if self._ours is not None:
            self._ours.close()
        if self._theirs is not None:
            self._theirs.close(now)

    def _on_refer(self, transaction: ServerTransaction, now: float) -> None:
        dialog = self._dialog()
        if dialog is None:
            self._endpoint.respond(transaction, 481 if self._closed else 403, now)
            return
        referral = Referral.of(transaction.request.headers)
        if referral.target.scheme not in ("sip", "sips", "tel"):
            self._endpoint.respond(transaction, 416, now)
            return
        if self._theirs is not None and (self._theirs.followed or not self._theirs.over):
            self._endpoint.respond(transaction, 491, now)
            return
        self._theirs = TheirReferral(self._context, dialog, self._requests, transaction, named=self._referred)
        self._referred = True
        replaces = None if referral.replaces is None else str(referral.replaces)
        self._endpoint.emit(
            SessionReferred(self._context.session, self._theirs.number, referral.target, replaces, referral.referred_by)
        )

    def _on_notify(self, transaction: ServerTransaction, now: float) -> None:
        package, identifier = read_event(transaction.request.headers)
        if package != "refer":
            self._endpoint.respond(transaction, 489, now, headers=(("Allow-Events", "refer"),))
        elif self._ours is None or not self._ours.concerns(identifier):
            self._endpoint.respond(transaction, 481, now)
        else:
            self._ours.receive(transaction.request, lambda: self._endpoint.respond(transaction, 200, now), now)

    def _on_info(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        if "Info-Package" in request.headers:
            self._endpoint.respond(transaction, 469, now, headers=(("Recv-Info", ""),))
            return
        media_type = media_type_of(request.headers)
        if request.body and media_type not in (info.RELAY, info.PLAIN):
            self._endpoint.respond(transaction, 415, now, headers=(("Accept", f"{info.RELAY}, {info.PLAIN}"),))
            return
        pressed = info.read_key(media_type, request.body) if request.body else None
        self._endpoint.respond(transaction, 481 if self._closed else 200, now)
        if pressed is not None and not self._closed:
            self._endpoint.emit(SessionDigitPressed(self._context.session, *pressed))

    def _on_progress(self, status: int, reason: str, final: bool, now: float) -> None:
        self._endpoint.emit(ReferralProgressed(self._context.session, status, reason, final))
