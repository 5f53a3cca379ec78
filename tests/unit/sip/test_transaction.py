"""The transaction machines, timer by timer at the values of RFC 3261 §17, table A and RFC 6026."""

from __future__ import annotations

import pytest

from voip_engine.sip.timers import Timers
from voip_engine.sip.transactions.transaction import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Event,
    Machine,
    State,
    Table,
    Timer,
)

ALL_TABLES = (INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER)


class Run:
    """One machine with its own timers; `log` holds what it did and when."""

    def __init__(self, table: Table, *events: Event, reliable: bool = False) -> None:
        self.log: list[tuple[float, Action]] = []
        self.ended_at: float | None = None
        self.timers = Timers()
        self.now = 0.0
        self.machine = Machine(
            table,
            reliable=reliable,
            timers=self.timers,
            perform=lambda action, now: self.log.append((now, action)),
            ended=self._end,
        )
        for event in (Event.START, *events):
            self.machine.handle(event, 0.0)

    def _end(self, now: float) -> None:
        assert self.ended_at is None
        self.ended_at = now

    def pass_time(self, until: float = 1000.0) -> Run:
        while (deadline := self.timers.next_deadline()) is not None and deadline <= until:
            self.now = deadline
            self.timers.run(deadline)
        return self

    def times(self, action: Action) -> list[float]:
        return [at for at, done in self.log if done is action]


def test_timer_a_doubles_without_limit_and_timer_b_ends_an_unanswered_invite() -> None:
    run = Run(INVITE_CLIENT).pass_time()
    assert run.times(Action.SEND_REQUEST) == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert run.times(Action.TIME_OUT) == [32.0]
    assert run.ended_at == 32.0


def test_timer_a_is_not_started_on_a_reliable_transport_but_timer_b_is() -> None:
    run = Run(INVITE_CLIENT, reliable=True).pass_time()
    assert run.times(Action.SEND_REQUEST) == [0]
    assert run.times(Action.TIME_OUT) == [32.0]


def test_a_provisional_response_stops_timers_a_and_b() -> None:
    run = Run(INVITE_CLIENT, Event.PROVISIONAL).pass_time()
    assert run.machine.state is State.PROCEEDING
    assert run.times(Action.SEND_REQUEST) == [0]
    assert len(run.timers) == 0


def test_timer_d_absorbs_repeated_refusals_for_32_s_each_acknowledged() -> None:
    run = Run(INVITE_CLIENT, Event.FAILURE).pass_time(10)
    run.machine.handle(Event.FAILURE, 10)
    run.pass_time()
    assert run.times(Action.SEND_ACK) == [0, 10]
    assert run.times(Action.PASS_UP) == [0]
    assert run.ended_at == 32.0


def test_timer_d_is_zero_on_a_reliable_transport() -> None:
    run = Run(INVITE_CLIENT, Event.FAILURE, reliable=True)
    assert run.ended_at == 0
    assert [action for _, action in run.log] == [Action.SEND_REQUEST, Action.SEND_ACK, Action.PASS_UP]


@pytest.mark.parametrize("reliable", [False, True])
def test_timer_m_keeps_an_accepted_invite_for_further_2xx(reliable: bool) -> None:
    run = Run(INVITE_CLIENT, Event.SUCCESS, reliable=reliable).pass_time(31)
    run.machine.handle(Event.SUCCESS, 31)
    run.pass_time()
    assert run.times(Action.PASS_UP) == [0, 31]
    assert run.ended_at == 32.0


def test_a_transport_error_ends_a_calling_invite_and_is_told_of_a_proceeding_one() -> None:
    run = Run(INVITE_CLIENT, Event.TRANSPORT_ERROR)
    assert (run.times(Action.FAIL), run.ended_at, len(run.timers)) == ([0], 0, 0)
    run = Run(INVITE_CLIENT, Event.PROVISIONAL, Event.TRANSPORT_ERROR)
    assert (run.times(Action.FAIL), run.machine.state) == ([0], State.PROCEEDING)


def test_timer_e_doubles_up_to_t2_and_timer_f_ends_an_unanswered_request() -> None:
    run = Run(NON_INVITE_CLIENT).pass_time()
    assert run.times(Action.SEND_REQUEST) == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert run.times(Action.TIME_OUT) == [32.0]


def test_timer_e_is_t2_once_a_provisional_response_came_and_timer_f_runs_on() -> None:
    run = Run(NON_INVITE_CLIENT, Event.PROVISIONAL).pass_time()
    assert run.times(Action.SEND_REQUEST) == [0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert run.times(Action.TIME_OUT) == [32.0]


def test_timer_k_absorbs_repeated_responses_for_t4() -> None:
    run = Run(NON_INVITE_CLIENT, Event.SUCCESS, Event.SUCCESS).pass_time()
    assert run.times(Action.PASS_UP) == [0]
    assert run.ended_at == 5.0
    assert Run(NON_INVITE_CLIENT, Event.FAILURE, reliable=True).ended_at == 0


def test_timer_g_repeats_a_refusal_up_to_t2_and_timer_h_gives_up() -> None:
    run = Run(INVITE_SERVER, Event.FAILURE).pass_time()
    assert run.times(Action.SEND_RESPONSE) == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert run.ended_at == 32.0


def test_timer_g_is_not_started_on_a_reliable_transport_but_timer_h_is() -> None:
    run = Run(INVITE_SERVER, Event.FAILURE, reliable=True).pass_time()
    assert run.times(Action.SEND_RESPONSE) == [0]
    assert run.ended_at == 32.0


def test_timer_i_absorbs_repeated_acks_for_t4() -> None:
    run = Run(INVITE_SERVER, Event.FAILURE, Event.ACK, Event.ACK).pass_time()
    assert run.times(Action.SEND_RESPONSE) == [0]
    assert run.ended_at == 5.0
    assert Run(INVITE_SERVER, Event.FAILURE, Event.ACK, reliable=True).ended_at == 0


@pytest.mark.parametrize("reliable", [False, True])
def test_timer_l_keeps_an_accepted_invite_that_absorbs_and_lets_2xx_pass(reliable: bool) -> None:
    run = Run(INVITE_SERVER, Event.SUCCESS, Event.REQUEST, Event.SUCCESS, reliable=reliable).pass_time()
    assert run.times(Action.SEND_RESPONSE) == [0, 0]
    assert run.ended_at == 32.0


def test_timer_j_repeats_the_final_response_when_asked_for_32_s() -> None:
    run = Run(NON_INVITE_SERVER, Event.SUCCESS).pass_time(20)
    run.machine.handle(Event.REQUEST, 20)
    run.pass_time()
    assert run.times(Action.SEND_RESPONSE) == [0, 20]
    assert run.ended_at == 32.0
    assert Run(NON_INVITE_SERVER, Event.SUCCESS, reliable=True).ended_at == 0


def test_a_request_without_response_yet_is_absorbed() -> None:
    assert Run(NON_INVITE_SERVER, Event.REQUEST).times(Action.SEND_RESPONSE) == []


@pytest.mark.parametrize("table", ALL_TABLES)
def test_every_state_but_the_last_can_be_left_and_every_started_timer_is_awaited(table: Table) -> None:
    reached = {State.IDLE} | {state for state, _ in table.values()}
    assert {state for state, _ in table} == reached - {State.TERMINATED}
    for state, doings in table.values():
        for timer in doings:
            assert not isinstance(timer, Timer) or (state, timer) in table


def test_an_abandoned_transaction_ends_once_and_leaves_no_timer() -> None:
    run = Run(NON_INVITE_CLIENT)
    run.machine.terminate(1.0)
    run.machine.terminate(2.0)
    assert (run.ended_at, len(run.timers), run.machine.state) == (1.0, 0, State.TERMINATED)


def test_a_transaction_ended_by_its_user_while_told_of_an_event_starts_no_timer() -> None:
    run = Run(NON_INVITE_CLIENT)
    run.machine = machine = Machine(
        NON_INVITE_CLIENT,
        reliable=False,
        timers=run.timers,
        perform=lambda action, now: machine.terminate(now) if action is Action.PASS_UP else None,
        ended=lambda now: None,
    )
    run.pass_time()
    machine.handle(Event.START, 40)
    machine.handle(Event.SUCCESS, 40)
    assert len(run.timers) == 0


def test_timers_run_in_order_and_stopped_ones_never() -> None:
    timers, log = Timers(), []
    for deadline in (3.0, 1.0, 2.0):
        timers.start(deadline, lambda now, deadline=deadline: log.append(deadline))
    stopped = timers.start(1.5, lambda now: log.append(1.5))
    timers.stop(stopped)
    timers.stop(stopped)
    assert timers.next_deadline() == 1.0
    timers.run(2.0)
    assert log == [1.0, 2.0]
    assert (len(timers), timers.next_deadline()) == (1, 3.0)


def test_order_survives_many_stopped_timers() -> None:
    timers, log = Timers(), []
    numbers = [
        timers.start(float(deadline % 97), lambda now, deadline=deadline: log.append(deadline % 97))
        for deadline in range(1000)
    ]
    for number in numbers[::5] + numbers[1::5] + numbers[2::5]:
        timers.stop(number)
    assert len(timers) == 400
    timers.run(100.0)
    assert len(log) == 400
    assert log == sorted(log)
