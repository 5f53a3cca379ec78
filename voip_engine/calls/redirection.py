"""Calls of ours that are sent elsewhere (3xx): they go on where [dialling] lets them."""

from __future__ import annotations

from voip_engine.addresses import destination
from voip_engine.calls.call import Call
from voip_engine.calls.placed_calls import PlacedCalls
from voip_engine.errors import EngineError
from voip_engine.settings import AccountSettings
from voip_engine.signalling import Signalling
from voip_engine.sip.effects import SessionRedirected
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.network.transport import TransportError
from voip_engine.sip.sessions.session import SessionStateError


class Redirection:
    """Follows redirections of one engine's calls. How often and never twice to one address is the SIP core's business."""

    def __init__(self, accounts: tuple[AccountSettings, ...], signalling: Signalling, placed: PlacedCalls) -> None:
        self._accounts = accounts
        self._signalling = signalling
        self._placed = placed

    async def follow(self, call: Call, effect: SessionRedirected) -> None:
        """Place the call anew at the best address that may and can be called, or end it and say why not."""
        refusal = ""
        for target in effect.targets:
            try:
                await self._go_on(call, effect.dialled, target)
                return
            except (EngineError, TransportError) as error:
                refusal = refusal or str(error)
            except SessionStateError:
                return  # the core waited no longer
        call.end(f"The call was sent on ({effect.status}), but not followed: {refusal}")

    async def _go_on(self, call: Call, dialled: SipUri, target: SipUri) -> None:
        self._placed.require_redirect(dialled, target)
        to = destination(target.serialize(), self._accounts, call.account)
        signalling = self._signalling
        first, *further = await signalling.paths_to(to.next_hop)
        contact = await signalling.contact_for(first)
        if not call.ended:
            self._placed.require_redirect(dialled, target)
            wanted = signalling.core.redirect(
                call.session,
                target=target,
                next_hop=first.hop,
                local=first.local,
                contact=contact,
                further=tuple(path.hop for path in further),
                now=signalling.now,
            )
            self._placed.sent_on()
            call.redirected(str(target), first.hop)
            signalling.perform(wanted)
