import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voip_engine.media.monitor_packet import pack, unpack

CALLER = np.array([1, -2, 32767, -32768], np.int16)
OURS = np.array([5, 6, 7, 8], np.int16)


def test_layout_on_the_wire() -> None:
    assert pack(1, 8000, CALLER, OURS).hex(" ", 2) == ("0000 0001 1f40 0004 0100 feff ff7f 0080 0500 0600 0700 0800")


def test_what_was_packed_is_unpacked() -> None:
    packet = unpack(pack(77, 48_000, CALLER, OURS))
    assert (packet.sequence, packet.rate_hz) == (77, 48_000)
    np.testing.assert_array_equal(packet.caller, CALLER)
    np.testing.assert_array_equal(packet.ours, OURS)


def test_the_sequence_wraps() -> None:
    assert unpack(pack(2**32 + 3, 8000, CALLER, OURS)).sequence == 3


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: d[:7], lambda d: b""])
def test_a_wrong_length_is_refused(damage) -> None:
    with pytest.raises(ValueError, match="monitor packet"):
        unpack(damage(pack(1, 8000, CALLER, OURS)))


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        packet = unpack(data)
    except ValueError:
        return
    assert pack(*packet) == data
