"""Transactions by their keys: what a message belongs to (RFC 3261 §17.1.3, §17.2.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from voip_engine.sip.effects import Effect, SendOnFlow, SendRequest, Unanswered
from voip_engine.sip.flow import DEFAULT_PORTS, Flow, NextHop
from voip_engine.sip.messages.message import Headers, Request, Response
from voip_engine.sip.timers import Timers
from voip_engine.sip.transactions.return_path import reply_path
from voip_engine.sip.transactions.transaction import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Event,
    Machine,
    State,
    event_of_status,
)

MAGIC_COOKIE = "z9hG4bK"
DEFAULT_PORT = 5060

Key = tuple[str | int, ...]
OnResponse = Callable[[Response, Flow, float], None]
OnFailure = Callable[[int, str, float], None]
OnEnd = Callable[[float], None]


class ClientTransaction:
    """One request of ours and what came back.

    `on_response(response, flow, now)` is called for every response the machine passes up, `on_failure(status, reason,
    now)` with 408 or 503 when none can come any more (RFC 3261 §8.1.3.1), `on_end(now)` when all is over. An INVITE that
    has been heard of goes on when its connection is lost: its `on_failure` is called with 503, and responses may still come.
    """

    __slots__ = ("_emit", "_flow", "_machine", "_on_end", "_on_failure", "_on_response", "_reason", "_response", "id",
                 "next_hop", "request")  # fmt: skip

    def __init__(
        self,
        request: Request,
        next_hop: NextHop,
        *,
        timers: Timers,
        emit: Callable[[Effect], None],
        on_response: OnResponse,
        on_failure: OnFailure,
        on_end: OnEnd,
    ) -> None:
        self.id = client_id(request.vias[0].branch or "", request.method)
        self.request = request
        self.next_hop = next_hop
        self._emit = emit
        self._on_response = on_response
        self._on_failure = on_failure
        self._on_end = on_end
        self._response: Response | None = None
        self._flow: Flow | None = None
        self._reason = ""
        self._machine = Machine(
            INVITE_CLIENT if request.method == "INVITE" else NON_INVITE_CLIENT,
            reliable=next_hop.transport != "UDP",
            timers=timers,
            perform=self._perform,
            ended=self._end,
        )

    @property
    def state(self) -> State:
        """Where the machine stands."""
        return self._machine.state

    def start(self, now: float) -> None:
        """Send the request."""
        self._machine.handle(Event.START, now)

    def receive(self, response: Response, flow: Flow, now: float) -> None:
        """Take a response that matches this transaction."""
        self._response = response
        self._flow = flow
        self._machine.handle(event_of_status(response.status), now)
        self._response = None

    def slim(self) -> None:
        """Keep no more of the request than what may still be sent is made of."""
        self.request = self.request.essence()

    def fail(self, reason: str, now: float) -> None:
        """Take word from the transport that the request could not be sent."""
        self._reason = reason
        self._machine.handle(Event.TRANSPORT_ERROR, now)

    def abandon(self, now: float) -> None:
        """End without another word to the user."""
        self._machine.terminate(now)

    def _end(self, now: float) -> None:
        on_end = self._on_end
        # Who sent the request holds this transaction: nothing is to lead back.
        self._on_response = self._on_failure = self._on_end = _ignore
        on_end(now)

    def uses(self, flow: Flow) -> bool:
        """Whether the request went, as far as can be told, along this flow."""
        if self._flow is not None:
            return self._flow == flow
        hop = self.next_hop
        port = hop.port or DEFAULT_PORTS[hop.transport]
        return (hop.transport, hop.host, port) == (flow.transport, flow.remote_host, flow.remote_port)

    def _perform(self, action: Action, now: float) -> None:
        match action:
            case Action.SEND_REQUEST:
                self._emit(SendRequest(self.request.serialize(), self.next_hop, self.id))
            case Action.SEND_ACK if self._response is not None:
                ack = derive_request(self.request, "ACK", to=self._response.headers.get("To") or "")
                self._emit(SendRequest(ack.serialize(), self.next_hop, self.id))
            case Action.PASS_UP if self._response is not None and self._flow is not None:
                self._on_response(self._response, self._flow, now)
            case Action.TIME_OUT:
                self._emit(Unanswered(self.id, given_up=True))
                self._on_failure(408, "", now)
            case Action.FAIL:
                self._on_failure(503, self._reason, now)
            case _:
                raise AssertionError(f"no client action: {action}")


class ServerTransaction:
    """One request of somebody else's and our responses to it. `on_cancel` is for a CANCEL that comes in time."""

    __slots__ = ("_emit", "_fallback", "_flow", "_last", "_machine", "flow", "key", "on_cancel", "request", "to_tag")

    def __init__(
        self, key: Key, request: Request, flow: Flow, *, timers: Timers, emit: Callable[[Effect], None], on_end: OnEnd
    ) -> None:
        self.key = key
        self.request = request
        self.flow = flow
        self.on_cancel: Callable[[float], None] | None = None
        self.to_tag: str | None = None
        """The tag of our last response, None while none had one."""
        self._emit = emit
        self._flow, self._fallback = reply_path(request.vias[0], flow)
        self._last = b""
        self._machine = Machine(
            INVITE_SERVER if request.method == "INVITE" else NON_INVITE_SERVER,
            reliable=flow.transport != "UDP",
            timers=timers,
            perform=self._perform,
            ended=on_end,
        )

    @property
    def state(self) -> State:
        """Where the machine stands."""
        return self._machine.state

    @property
    def answered(self) -> bool:
        """Whether a final response has been given."""
        return self._machine.state not in (State.IDLE, State.TRYING, State.PROCEEDING)

    def belongs(self, request: Request) -> bool:
        """Whether a request with this transaction's key is of the same call, and no guess at it."""
        return request.call_id == self.request.call_id and request.from_.tag == self.request.from_.tag

    def start(self, now: float) -> None:
        """Begin; the machine then waits for `respond`."""
        self._machine.handle(Event.START, now)

    def receive(self, method: str, now: float) -> None:
        """Take the request again, or the ACK for a refusal."""
        self._machine.handle(Event.ACK if method == "ACK" else Event.REQUEST, now)

    def respond(self, response: Response, now: float) -> None:
        """Send a response, as far as the state still allows one."""
        data = response.serialize()
        event = event_of_status(response.status)
        first = not self.answered
        if not first and not (event is Event.SUCCESS and self._machine.state is State.ACCEPTED):
            return
        self._last = data
        self.to_tag = response.to.tag
        self._machine.handle(event, now)
        if first and self.answered:
            # For half a minute it only repeats itself: thousands of these must hold neither calls nor all they were asked.
            self.on_cancel = None
            self.request = self.request.essence()

    def abandon(self, now: float) -> None:
        """End at once: later retransmissions are new requests."""
        self._machine.terminate(now)

    def _perform(self, action: Action, now: float) -> None:
        if action is not Action.SEND_RESPONSE:
            raise AssertionError(f"no server action: {action}")
        if self._last:
            self._emit(SendOnFlow(self._last, self._flow, self._fallback))


class TransactionLayer:
    """All transactions of one core, at most `capacity` of either side.

    At the limit the oldest answered non-INVITE transaction makes room, because it only waits for retransmissions;
    when there is none, the newcomer is turned away.
    """

    def __init__(self, timers: Timers, emit: Callable[[Effect], None], *, capacity: int = 10_000) -> None:
        self._timers = timers
        self._emit = emit
        self._capacity = capacity
        self._clients: dict[str, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._absorbing: dict[Key, ServerTransaction] = {}
        self._origins: dict[Key, Key] = {}
        self._call_ids: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    @property
    def full(self) -> bool:
        """Whether another request of ours would exceed the capacity."""
        return len(self._clients) >= self._capacity

    def knows(self, call_id: str) -> bool:
        """Whether there is a transaction of this Call-ID, on either side."""
        return call_id in self._call_ids

    # ---- our requests ----

    def send(
        self,
        request: Request,
        next_hop: NextHop,
        now: float,
        *,
        on_response: OnResponse,
        on_failure: OnFailure,
        on_end: OnEnd | None = None,
    ) -> ClientTransaction:
        """Send a request in a transaction of its own; its top Via must carry a fresh branch."""

        name, call_id = client_id(request.vias[0].branch or "", request.method), request.call_id

        def end(now: float) -> None:
            if self._clients.pop(name, None) is not None:
                self._forget(call_id)
            if on_end is not None:
                on_end(now)

        transaction = ClientTransaction(
            request,
            next_hop,
            timers=self._timers,
            emit=self._emit,
            on_response=on_response,
            on_failure=on_failure,
            on_end=end,
        )
        self._clients[name] = transaction
        self._call_ids[call_id] += 1
        transaction.start(now)
        return transaction

    def receive_response(self, response: Response, flow: Flow, now: float) -> bool:
        """Hand a response to its transaction; False when there is none."""
        transaction = self._clients.get(client_id(response.vias[0].branch or "", response.cseq.method))
        if transaction is None or transaction.request.call_id != response.call_id:
            return False
        transaction.receive(response, flow, now)
        return True

    def transport_failed(self, transaction: str, reason: str, now: float) -> None:
        """Tell the transaction of this id that its request could not be sent; one already over is no error."""
        client = self._clients.get(transaction)
        if client is not None:
            client.fail(reason, now)

    def flow_lost(self, flow: Flow, reason: str, now: float) -> None:
        """Fail what went along a stream connection that is gone."""
        for client in [client for client in self._clients.values() if client.uses(flow)]:
            client.fail(reason, now)

    # ---- their requests ----

    def find(self, request: Request, method: str | None = None) -> ServerTransaction | None:
        """Return the transaction a request belongs to; `method` in place of the request's own for CANCEL and ACK."""
        return self._servers.get(server_key(request, method or request.method))

    def is_merged(self, transaction: ServerTransaction) -> bool:
        """Whether the same request has already come by another way (RFC 3261 §8.2.2.2)."""
        request = transaction.request
        return request.to.tag is None and self._origins.get(origin_key(request)) != transaction.key

    def open(self, request: Request, flow: Flow, now: float) -> ServerTransaction | None:
        """Open a transaction for a new request, or return None when there is no room."""
        if len(self._servers) >= self._capacity:
            if not self._absorbing:
                return None
            next(iter(self._absorbing.values())).abandon(now)
        key = server_key(request, request.method)
        origin, call_id = origin_key(request), request.call_id

        def end(now: float) -> None:
            if self._servers.pop(key, None) is not None:
                self._forget(call_id)
            self._absorbing.pop(key, None)
            if self._origins.get(origin) == key:
                del self._origins[origin]

        transaction = ServerTransaction(key, request, flow, timers=self._timers, emit=self._emit, on_end=end)
        self._servers[key] = transaction
        self._call_ids[call_id] += 1
        self._origins.setdefault(origin, key)
        transaction.start(now)
        return transaction

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a response within a transaction."""
        transaction.respond(response, now)
        if transaction.request.method != "INVITE" and transaction.key in self._servers and transaction.answered:
            self._absorbing[transaction.key] = transaction

    def _forget(self, call_id: str) -> None:
        self._call_ids[call_id] -= 1
        if not self._call_ids[call_id]:
            del self._call_ids[call_id]


def client_id(branch: str, method: str) -> str:
    """Return the name of a client transaction: branch and method (RFC 3261 §17.1.3)."""
    return f"{method} {branch}"


def server_key(request: Request, method: str) -> Key:
    """Return what a request's server transaction is found by (RFC 3261 §17.2.3)."""
    via = request.vias[0]
    branch = via.branch or ""
    kind = "INVITE" if method == "ACK" else method
    if branch.startswith(MAGIC_COOKIE) and branch != MAGIC_COOKIE:
        return (branch, via.host.lower(), via.port or DEFAULT_PORT, kind)
    # RFC 2543 had no branch to go by. The To tag is left out so that INVITE and its ACK have the same key.
    cseq = request.cseq
    return (branch, via.host.lower(), via.port or 0, kind, str(request.uri), request.call_id, request.from_.tag or "",
            cseq.number)  # fmt: skip


def origin_key(request: Request) -> Key:
    """Return what copies of one request that took different ways have in common (RFC 3261 §8.2.2.2)."""
    cseq = request.cseq
    return (request.call_id, request.from_.tag or "", cseq.number, cseq.method)


def derive_request(request: Request, method: str, *, to: str) -> Request:
    """Build the CANCEL (RFC 3261 §9.1), or the ACK for a refusal (§17.1.1.3), of a request of ours."""
    headers = Headers([("Via", str(request.vias[0])), ("Max-Forwards", "70")])
    for route in request.headers.get_all("Route"):
        headers.add("Route", route)
    headers.add("From", request.headers.get("From") or "")
    headers.add("To", to)
    headers.add("Call-ID", request.call_id)
    headers.add("CSeq", f"{request.cseq.number} {method}")
    for credentials in ("Authorization", "Proxy-Authorization"):
        for value in request.headers.get_all(credentials):
            headers.add(credentials, value)
    return Request(method, request.uri, headers)


def _ignore(*_: object) -> None:
    """Nobody wants to know any more."""
