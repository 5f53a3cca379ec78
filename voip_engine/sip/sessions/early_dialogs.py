"""The branches of a forked INVITE of ours that have said something (RFC 3261 §12.1.2, RFC 3262 §4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voip_engine.sip.endpoint import session_body
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.extension_headers import RAck, read_rseq
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.dialog_requests import DialogRequests

MAX_FORKS = 32
"""How many branches of a forked INVITE are remembered."""


@dataclass(slots=True)
class EarlyDialog:
    """One branch. `answer` is its latest session description; `rseq` the number of its latest reliable response.

    `settled` says that it came reliably and the other side knows that it did. `agreed` is our own one if both sides have
    agreed on something else since, by UPDATE: what responses to the INVITE say is older then.
    """

    dialog: Dialog
    answer: bytes | None = None
    rseq: int | None = None
    settled: bool = False
    agreed: bytes | None = None


class EarlyDialogs:
    """All branches of one INVITE. `on_new(dialog)` is called for each."""

    def __init__(self, requests: DialogRequests, on_new: Callable[[Dialog], None]) -> None:
        self._requests = requests
        self._on_new = on_new
        self._branches: dict[str, EarlyDialog] = {}
        self._untagged: bytes | None = None
        """The session description of responses that belong to no branch."""
        self._latest: EarlyDialog | None = None

    def __len__(self) -> int:
        return len(self._branches)

    @property
    def latest(self) -> EarlyDialog | None:
        """The branch whose session description came last: what is heard is its."""
        return self._latest

    @property
    def sole_answer(self) -> bytes | None:
        """What came, if just one session description did and nothing else was agreed on.

        It has to do where a 2xx brings none: gateways leave the tag out of a 183, or give the 2xx another one.
        """
        if any(branch.agreed is not None for branch in self._branches.values()):
            return None
        came = [self._untagged, *(branch.answer for branch in self._branches.values())]
        answers = [answer for answer in came if answer is not None]
        return answers[0] if len(answers) == 1 else None

    def find(self, tag: str | None) -> EarlyDialog | None:
        """The branch of this tag."""
        return self._branches.get(tag or "")

    def take(self, response: Response, dialog_of: Callable[[Response, Flow], Dialog], flow: Flow, now: float) -> bool:
        """Take a 1xx, with a PRACK where it wants one; False if it says nothing new."""
        tag, body = response.to.tag, session_body(response)
        if not tag:
            self._untagged = body or self._untagged
            return True
        branch = self._branches.get(tag)
        if branch is None:
            if len(self._branches) >= MAX_FORKS:
                return False
            branch = self._branches[tag] = EarlyDialog(dialog_of(response, flow))
            self._on_new(branch.dialog)
        rseq = read_rseq(response.headers)
        if rseq is not None:
            if branch.rseq is not None and rseq != branch.rseq + 1:
                return False  # a repetition, or one that overtook another (RFC 3262 §4)
            branch.rseq = rseq
            prack = branch.dialog.build("PRACK")
            prack.headers.add("RAck", str(RAck(rseq, response.cseq.number, response.cseq.method)))
            self._acknowledge(branch, prack, now)
        branch.dialog.note_abilities(response)
        if body is not None and branch.agreed is None:
            branch.answer = body
            self._latest = branch
        return True

    def _acknowledge(self, branch: EarlyDialog, prack: Request, now: float) -> None:
        def on_final(status: int, response: Response | None, now: float) -> None:
            branch.settled = status < 300 and branch.answer is not None

        branch.settled = False
        self._requests.send(branch.dialog, prack, now, on_final)

    def note_update(self, dialog: Dialog, described: bytes) -> None:
        """Note that a branch has agreed with us on something else than it answered: `described` is our side of it."""
        branch = self.find(dialog.remote.tag)
        if branch is not None:
            branch.agreed = described
            self._latest = branch

    def clear(self) -> None:
        """Forget all branches."""
        self._branches.clear()
        self._untagged = self._latest = None
