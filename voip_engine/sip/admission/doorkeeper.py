"""Who decides which requests the core takes, before it keeps anything of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.message import Request

STRANGER = "who asks is no server of an account, in no listed network and no listed user"
NOTHING_ASKED = "a stranger sent what is no request and answers none of ours"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is not taken. `status` None answers nothing at all; `reason` is plain words for our own side.

    `counted` is False for a challenge, which is no refusal yet.
    """

    reason: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    counted: bool = True


class Doorkeeper(Protocol):
    """Judges where messages come from and what requests want. Times are seconds on the core's clock."""

    def knows(self, flow: Flow, now: float) -> bool:
        """Whether requests of this source are looked at in any case."""
        ...

    def vouches(self, flow: Flow, now: float) -> bool:
        """Whether a source may say who somebody is (RFC 3325 §5)."""
        ...

    def may_prove_itself(self, method: str) -> bool:
        """Whether a stranger's request of this method is worth parsing, for it may carry credentials."""
        ...

    def judge(self, request: Request, flow: Flow, now: float, half_open: Callable[[str], bool]) -> Refusal | None:
        """Return None for a request that may come in. It belongs to no dialog and no transaction that is there.

        `half_open` says of a session whether it waits for our answer, or our answer for its ACK.
        """
        ...

    def rings(self, session: str, flow: Flow) -> None:
        """Take note of a call that came in and waits for our answer."""
        ...
