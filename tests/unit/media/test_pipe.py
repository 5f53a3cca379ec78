"""Messages over a pipe that never blocks."""

from __future__ import annotations

import os

import pytest

from voip_engine.media.pipe import (
    LONGEST_BACKLOG_BYTES,
    CommandInput,
    ReportOutput,
    decode_report,
)
from voip_engine.media.protocol import CloseLeg, Play, Shutdown, UtteranceHeard
from voip_engine.processes.framing import MessageReader, PipeError, encode


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_messages_come_whole_however_they_are_cut():
    messages = [Play(1, 2, bytes(range(256)) * 40), Shutdown(), CloseLeg(7)]
    stream = b"".join(encode(message) for message in messages)
    for step in (1, 3, 1000, len(stream)):
        reader = MessageReader()
        bodies = [body for at in range(0, len(stream), step) for body in reader.feed(stream[at : at + step])]
        assert bodies == [encode(message)[4:] for message in messages]


def test_an_absurd_length_is_refused():
    with pytest.raises(PipeError):
        MessageReader().feed(b"\xff\xff\xff\xff")


def test_a_big_report_goes_out_in_pieces(pipe):
    reading, writing = pipe
    output = ReportOutput(writing)
    report = UtteranceHeard(1, 0.0, 93.0, 100.0, os.urandom(3_000_000), 16000)
    output.put(report)
    assert output.congested
    reader, bodies = MessageReader(), []
    for _ in range(1000):
        output.flush()
        bodies += reader.feed(os.read(reading, 65536))
        if bodies:
            break
    assert decode_report(bodies[0]) == report
    assert not output.congested


def test_flushing_into_a_full_pipe_returns(pipe):
    output = ReportOutput(pipe[1])
    for _ in range(40):
        output.put(UtteranceHeard(1, 0.0, 31.0, 100.0, bytes(1_000_000), 16000))
        output.flush()
    assert output.dropped > 0
    assert output.dropped <= 40 - LONGEST_BACKLOG_BYTES // 1_000_100 + 2


def test_commands_are_taken_as_time_allows(pipe):
    reading, writing = pipe
    commands = CommandInput(reading)
    assert commands.take(lambda: True) == []
    os.write(writing, b"".join(encode(CloseLeg(leg_id)) for leg_id in range(5)))
    assert commands.take(lambda: False) == [CloseLeg(0)]
    assert commands.take(lambda: True) == [CloseLeg(leg_id) for leg_id in range(1, 5)]
    assert not commands.ended
    os.close(writing)
    assert commands.take(lambda: True) == []
    assert commands.ended
