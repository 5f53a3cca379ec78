"""What transfers, reliable responses, session timers, keys and SRTP write, they read again, whatever is in it."""

from __future__ import annotations

import contextlib
import string

from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from voip_engine.sdp.crypto import KEY_BYTES, CryptoLine, SrtpKeys, answering_line
from voip_engine.sip.messages.extension_headers import RAck, SessionExpires
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.info import KEYS, LONGEST_DURATION_MS, PLAIN, RELAY, read_key, write_key
from voip_engine.sip.messages.message_summary import MessageSummary
from voip_engine.sip.messages.referral_headers import Referral, read_sipfrag, refer_to, write_sipfrag
from voip_engine.sip.messages.replaces import Replaces
from voip_engine.sip.messages.uri import SipUri
from voip_engine.stun.messages import MalformedStun, answers, binding_request, looks_like_stun, mapped_address

tokens = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=20)
words = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~()<>:\\/[]?{}", min_size=1, max_size=20)
call_ids = words | st.tuples(words, words).map("@".join)
dialogs = st.builds(Replaces, call_ids, tokens, tokens, st.booleans())
numbers = st.integers(0, 2**32 - 1)


@given(dialogs)
def test_a_dialog_to_replace_is_read_as_it_was_written(replaces: Replaces) -> None:
    assert Replaces.parse(str(replaces)) == replaces
    assert Replaces.of(Headers([("Replaces", str(replaces))])) == replaces


@given(dialogs | st.none(), tokens, st.none() | st.integers(1, 65535))
def test_a_transfer_is_read_as_it_was_written(replaces: Replaces | None, user: str, port: int | None) -> None:
    target = SipUri("sip", user, "pbx.example", port)
    read = Referral.of(Headers([("Refer-To", refer_to(target, replaces))]))
    assert (read.target, read.replaces) == (target, replaces)


@given(numbers, numbers, tokens, numbers, st.sampled_from(["uac", "uas", None]))
def test_numbers_of_extensions_are_read_as_they_were_written(rseq, cseq, method, interval_s, refresher) -> None:
    rack, expires = RAck(rseq, cseq, method), SessionExpires(interval_s, refresher)
    headers = Headers([("RAck", str(rack)), ("Session-Expires", str(expires))])
    assert RAck.read(headers) == rack
    assert SessionExpires.read(headers) == expires


@given(st.sampled_from([RELAY, PLAIN]), st.sampled_from(KEYS), st.integers(1, LONGEST_DURATION_MS))
def test_a_key_is_read_as_it_was_written(media_type: str, key: str, duration_ms: int) -> None:
    read = read_key(media_type, write_key(media_type, key, duration_ms))
    assert read is not None
    assert read[0] == key
    assert media_type == PLAIN or read[1] == duration_ms


@given(st.integers(100, 699))
def test_a_status_line_is_read_as_it_was_written(status: int) -> None:
    assert read_sipfrag(write_sipfrag(status))[0] == status


@given(st.booleans(), st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1), st.lists(tokens, max_size=3))
def test_a_mailbox_s_counts_are_read_among_other_lines(waiting: bool, new: int, old: int, others: list[str]) -> None:
    lines = [f"X-{other}: 1/1" for other in others]
    lines += [f"Messages-Waiting: {'yes' if waiting else 'no'}", f"Voice-Message: {new}/{old} (0/0)"]
    assert MessageSummary.parse("\r\n".join(lines).encode()) == MessageSummary(waiting, new, old)


@given(st.integers(0, 999_999_999), st.sampled_from(list(KEY_BYTES)), st.randoms(use_true_random=False))
def test_srtp_keys_are_read_as_they_were_written_and_shown_to_nobody(tag, suite, random) -> None:
    line = CryptoLine(tag, suite, random.randbytes(KEY_BYTES[suite]))
    written = line.serialize().value or ""
    read = CryptoLine.parse(written)
    assert read is not None
    assert (read.tag, read.suite, read.key) == (tag, suite, line.key)
    assert written.rpartition("inline:")[2] not in repr(read)
    assert repr(line.key) not in repr(read)
    assert answering_line(read, SrtpKeys(random.randbytes)).tag == tag


addresses = st.tuples(st.ip_addresses().map(str), st.integers(0, 65535))


@given(st.binary(min_size=12, max_size=12), addresses, st.sampled_from(["XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS"]))
def test_the_address_that_a_stun_server_sees_is_read(identifier: bytes, address: tuple[str, int], name: str) -> None:
    request = binding_request(identifier)
    message = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, identifier)
    message.attributes[name] = address
    answer = bytes(message)
    assert answers(answer, request)
    assert looks_like_stun(answer)
    assert mapped_address(answer) == address
    with contextlib.suppress(MalformedStun):
        mapped_address(request)
        raise AssertionError("a request was taken for an answer")


@given(st.binary(min_size=12, max_size=12), st.binary(min_size=12, max_size=12))
def test_an_answer_to_another_request_is_none_to_ours(ours: bytes, theirs: bytes) -> None:
    answer = bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, theirs))
    assert answers(answer, binding_request(ours)) == (ours == theirs)
