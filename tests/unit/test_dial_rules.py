from __future__ import annotations

import pytest

from voip_engine.dial_rules import DialRules
from voip_engine.network_settings import DiallingSettings
from voip_engine.settings_fields import SettingsError
from voip_engine.sip.messages.uri import SipUri


def may_be_called(address: str, **settings: tuple[str, ...]) -> bool:
    return DialRules(DiallingSettings(**settings)).check(SipUri.parse(address)) is None


def test_without_rules_everybody_may_be_called():
    assert may_be_called("sip:bob@192.0.2.7")
    assert may_be_called("sip:+49900123@gw.example;user=phone")


@pytest.mark.parametrize(
    "address",
    [
        "sip:0900123@gw.example",
        "sip:0900123@elsewhere.example:5099;transport=tcp",
        "SIP:0900123@GW.EXAMPLE",
        "sips:0900123@gw.example",
        "sip:%30900123@gw.example",
        "sip:%2530900123@gw.example",  # escaped twice
        "sip:0-9.0(0)123@gw.example",
        "sip:0%20900%20123@gw.example",
        "sip:0900123;phone-context=example.com@gw.example;user=phone",
        "sip:0900123;postd=pp22@gw.example",
        "sip:+0900123@gw.example",
        "sip:%EF%BC%90900123@gw.example",  # a full-width digit
        "sip:%D9%A0900123@gw.example",  # an Arabic digit
        "sip:0%E2%80%8B900123@gw.example",  # a space of no width
        "sip:0%E2%80%91900123@gw.example",  # a hyphen that does not break
        "tel:0900123",
        "tel:0-900-123;phone-context=+49",
        "sip:tel:0900123@gw.example",
        "sip:tel%3A0900123@gw.example",
        "sip:0900123%40home.example@gw.example",
        "sip:55;phone-context=0900@gw.example",
        "sip:55@gw.example;phone-context=0900",
        "sip:+4930123;npdi;rn=0900123@gw.example",
        "sip:+4930123;rn=0900123;rn=1@gw.example",
        "sip:+4930123;rn=1;rn=0900123@gw.example",
        "sip:+4930123;rn=1@gw.example;rn=0900123",
        "sip:+4930123;rn=0900123@gw.example;rn=1",
        "sip:+4930123;rn=0900123@gw.example;rn=",
        "sip:+4930123@gw.example;RN=0900123;rn=1",
        "sip:+4930123@gw.example;%72n=0900123;rn=1",
        "sip:+4930123;rn%20=0900123@gw.example",
        "sip:+4930123;rn=123;rn-context=0900@gw.example",
        "sip:+4930123;rn=123@gw.example;rn-context=0900",
        "sip:55;phone-context=0900;phone-context=x@gw.example",
        "sip:55;phone-context=x;phone-context=0900@gw.example",
        "sip:55;phone-context=0900@gw.example;phone-context=x",
        "sip:55;phone-context=x@gw.example;phone-context=0900",
        "tel:55;phone-context=0900;phone-context=x",
    ],
)
def test_a_denied_number_is_denied_however_it_is_written(address):
    assert not may_be_called(address, deny=("0900*",))
    assert not may_be_called(address, deny=("0(900)*",))
    assert may_be_called("sip:0800123@gw.example", deny=("0900*",))


@pytest.mark.parametrize(
    ("address", "covered"),
    [
        ("sip:+4930123@gw.example", True),
        ("sip:%2B4930123@gw.example", True),
        ("sip:+49-30-123@gw.example", True),
        ("tel:+49(30)123", True),
        ("sip:+1900123@gw.example", False),
        ("sip:+4930;rn=+1900123@gw.example", False),
        ("sip:4930123@gw.example", False),
        ("sip:bob@gw.example", False),
        ("sip:x+49@gw.example", False),
        ("sip:gw.example", False),
        ("sip:+4930;ext=7@gw.example", True),
        ("sip:+4930;rn=x@gw.example", False),
        ("sip:0900123;phone-context=+49@gw.example", False),
    ],
)
def test_only_what_is_allowed_may_be_called(address, covered):
    assert may_be_called(address, allow=("+49*",)) is covered


@pytest.mark.parametrize(
    ("address", "covered"),
    [
        ("sip:bob@pbx.example", True),
        ("sip:bob@PBX.Example.:5070;transport=tcp", True),
        ("sips:bob@pbx.example", True),
        ("sip:bob@pbx.example.evil.example", False),
        ("sip:bob@evil.example;maddr=pbx.example", False),
        ("sip:bob@pbx.example;maddr=evil.example", False),
        ("sip:x%40pbx.example@evil.example", False),
        ("sip:x@evil.example;y=@pbx.example", False),
        ("tel:+4930123", False),
        ("sip:bob@pbx.example;maddr=pbx.example;maddr=evil.example", False),
        ("sip:bob@pbx.example;maddr=evil.example;maddr=pbx.example", False),
        ("sip:bob@pbx.example;MADDR=evil.example", False),
    ],
)
def test_a_pattern_with_a_host_is_about_the_host(address, covered):
    try:
        found = may_be_called(address, allow=("sip:*@pbx.example",))
    except ValueError:
        found = False  # no address at all
    assert found is covered


@pytest.mark.parametrize("user", ["100;0900123", "100;rn=", "100;phone-context=pbx.example", "100;x=1"])
def test_who_is_allowed_is_not_whoever_a_server_sees_that_takes_the_user_whole(user):
    assert may_be_called("sip:100@pbx.example", allow=("100@pbx.example",))
    assert not may_be_called(f"sip:{user}@pbx.example", allow=("100@pbx.example",))


def test_an_address_with_a_parameter_twice_says_so():
    refusal = DialRules(DiallingSettings(allow=("1*",))).check(SipUri.parse("sip:1@pbx.example;x=1;X=2"))
    assert refusal == "sip:1@pbx.example is not called: an address that is called holds no parameter twice."


@pytest.mark.parametrize(
    ("pattern", "host"),
    [
        ("*@[2001:db8:0:0:0:0:0:1]", "[2001:db8::1]"),
        ("*@2001:0DB8::0001", "[2001:db8:0::1]"),
        ("*@[2001:db8:0:0:*]", "[2001:db8::7]"),
        ("*@2001:0db8::*", "[2001:db8::7]"),
        ("*@[2001:*]", "[2001:db8::7]"),
        ("*@::ffff:1.2.3.4", "1.2.3.4"),
        ("*@[::ffff:1.2.3.4]", "[::ffff:102:304]"),
        ("*@[::ffff:102:304]", "1.2.3.4"),
        ("*@::ffff:1.2.3.*", "1.2.3.4"),
        (" sip:*@Evil.Example. ", "evil.example"),
    ],
)
def test_a_pattern_covers_its_host_however_either_is_written(pattern, host):
    assert not may_be_called(f"sip:bob@{host}", deny=(pattern,))
    assert may_be_called("sip:bob@[2002::1]", deny=(pattern,))
    assert may_be_called("sip:bob@1.2.4.4", deny=(pattern,))
    assert may_be_called("sip:bob@2001.db8.example", deny=(pattern,))


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("sip:*@evil.example:5060", "has a port, which covers nothing: write '@evil.example'"),
        ("*@evil.example:*", "write '@evil.example'"),
        ("*@[2001:db8::1]:5060", "write '@[2001:db8::1]'"),
        ("*@10.0.0.*:5060", "write '@10.0.0.*'"),
        ("*@2001:*", "or the whole host in brackets if it is an IPv6 address"),
        ("sip:*@evil.example;transport=udp", "has parameters, which cover nothing: write '*@evil.example'"),
        ("+49900*;phone-context=x@gw.example", "write '+49900*@gw.example'"),
        ("0900*;user=phone", "write '0900*'"),
        ("<sip:*@evil.example>", "has angle brackets: write 'sip:*@evil.example'"),
        ('"Eve" <sip:eve@evil.example>;x=y', "write 'sip:eve@evil.example'"),
        ("sip:evil.example", "has no @: write '*@evil.example' if it is a host, and 'evil.example' if it is a user"),
        ("sips:*.evil.example", "write '*@*.evil.example' if it is a host"),
        ("192.0.2.7", "about a user: write '*@192.0.2.7'"),
        ("[2001:db8::1]", "about a user: write '*@[2001:db8::1]'"),
        ("*@10.0.0", "neither a name nor a whole address: write such as @192.0.2.7 or @192.0.2.*"),
        ("*@127.1", "neither a name nor a whole address"),
        ("*@::ffff:102:*", "write such as @192.0.2.*"),
    ],
)
@pytest.mark.parametrize("key", ["allow", "deny", "transfer", "redirect"])
def test_a_pattern_that_could_cover_nobody_is_a_mistake(key, pattern, words):
    with pytest.raises(SettingsError) as caught:
        DiallingSettings(**{key: (pattern,)})
    assert str(caught.value).startswith(f"{key} must be patterns; {pattern!r}")
    assert words in str(caught.value)


def test_a_pattern_of_addresses_covers_no_names():
    assert may_be_called("sip:bob@10.0.0.7", allow=("*@10.0.0.*",))
    assert not may_be_called("sip:bob@10.0.0.evil.example", allow=("*@10.0.0.*",))
    assert may_be_called("sip:bob@[2001:db8::7]", allow=("*@[2001:db8::*]",))
    assert may_be_called("sip:bob@[2001:DB8:0::7]", allow=("*@2001:db8::7",))


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "127.0.0.0x1", "0177.0.0.1", "127.0.0.1."])
def test_an_address_in_disguise_is_not_called(host):
    assert not may_be_called(f"sip:root@{host}", deny=("*@127.0.0.1",))
    assert not may_be_called(f"sip:root@{host}", allow=("bob",))


def test_an_ipv4_address_within_ipv6_is_the_same_address():
    assert not may_be_called("sip:root@[::ffff:127.0.0.1]", deny=("*@127.0.0.1",))


def test_deny_goes_before_allow_and_the_refusal_names_the_rule():
    rules = DialRules(DiallingSettings(allow=("+49*",), deny=("+49900*",)))
    assert rules.check(SipUri.parse("sip:+49900123@gw.example")) == (
        "sip:+49900123@gw.example may not be called: '+49900*' stands in deny of [dialling]."
    )
    assert rules.check(SipUri.parse("sip:+1202@gw.example")) == (
        "sip:+1202@gw.example may not be called: nothing in allow of [dialling] covers it."
    )


def test_a_pattern_without_a_host_is_about_users():
    assert not may_be_called("sip:j.doe@pbx.example", deny=("j.doe",))
    assert not may_be_called("sip:0900.123@pbx.example", deny=("sip:0900.1*",))
    assert may_be_called("sip:bob@j.doe", deny=("j.doe", "sip:0900.?*"))


def test_names_keep_their_separators_where_they_are_allowed():
    assert may_be_called("sip:j.doe@pbx.example", allow=("j.doe",))
    assert not may_be_called("sip:jdoe@pbx.example", allow=("j.doe",))
    assert may_be_called("sip:12a@pbx.example", allow=("1?a",))
    assert not may_be_called("sip:[a]@pbx.example", allow=("[a]x",))


def test_a_password_in_an_address_hides_what_is_called():
    refusal = DialRules(DiallingSettings(allow=("bob",))).check(SipUri.parse("sip:bob:0900123@pbx.example"))
    assert refusal == "sip:bob@pbx.example is not called: an address that is called holds no password."


@pytest.mark.parametrize("address", ["http://example.com/", "mailto:bob@example.com", "urn:service:sos"])
def test_what_is_no_telephone_address_is_not_called(address):
    assert not may_be_called(address)


def test_transfers_need_a_pattern_of_their_own_and_leave_to_call():
    bob, eve = SipUri.parse("sip:bob@pbx.example"), SipUri.parse("sip:eve@pbx.example")
    assert DialRules(DiallingSettings()).check_transfer(bob) == (
        "The other side may send us nowhere: transfer of [dialling] is empty."
    )
    rules = DialRules(DiallingSettings(transfer=("*@pbx.example",), deny=("eve",)))
    assert rules.check_transfer(bob) is None
    assert rules.check_transfer(eve) == "sip:eve@pbx.example may not be called: 'eve' stands in deny of [dialling]."
    assert rules.check_transfer(SipUri.parse("sip:bob@evil.example")) == (
        "The other side may not send us to sip:bob@evil.example: nothing in transfer of [dialling] covers it."
    )
    assert rules.check_transfer(SipUri.parse("http://pbx.example/")) is not None


@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        ("sip:bob@pbx.example:5070;transport=tcp", None),
        ("sips:BOB@PBX.example.", None),
        ("sip:eve@pbx.example", "Calls may not be sent on to sip:eve@pbx.example: nothing in redirect"),
        ("sip:bob@evil.example", "Calls may not be sent on to sip:bob@evil.example: nothing in redirect"),
        ("sip:bob;rn=+4990012@pbx.example", "Calls may not be sent on to sip:bob;rn=+4990012@pbx.example: nothing in"),
        ("sip:bob;rn=x@pbx.example", "Calls may not be sent on to sip:bob;rn=x@pbx.example: nothing in"),
        ("sip:bob;ext=7@pbx.example", "Calls may not be sent on to sip:bob;ext=7@pbx.example: nothing in"),
        ("sip:bob@pbx.example;rn=x", "Calls may not be sent on to sip:bob@pbx.example: nothing in"),
        ("sip:bob;rn=1@pbx.example;rn=x", "Calls may not be sent on to"),
        ("sip:%2562ob@pbx.example", "Calls may not be sent on to sip:%62ob@pbx.example: nothing in"),
        (
            "sip:bob@pbx.example;maddr=pbx.example;maddr=x",
            "sip:bob@pbx.example is not called: an address that is called",
        ),
        ("sip:bob@pbx.example;maddr=192.0.2.66", "Calls may not be sent on to sip:bob@pbx.example: nothing in"),
        ("sip:+4930123@gateway.example", None),
        ("sip:+4990012@gateway.example", "sip:+4990012@gateway.example may not be called: '+49900*' stands in deny"),
        ("sip:bob:secret@pbx.example", "sip:bob@pbx.example is not called: an address that is called holds"),
    ],
)
def test_a_call_is_sent_on_to_whom_was_dialled_or_by_a_pattern(target: str, refusal: str | None):
    rules = DialRules(DiallingSettings(redirect=("+49*@gateway.example",), deny=("+49900*",)))
    said = rules.check_redirect(SipUri.parse("sip:bob@pbx.example"), SipUri.parse(target))
    assert said is None if refusal is None else said is not None and said.startswith(refusal)


@pytest.mark.parametrize("dialled", ["sips:bob@pbx.example", "sip:bob@pbx.example;transport=tls"])
def test_a_call_is_not_sent_on_out_of_tls(dialled: str):
    rules = DialRules(DiallingSettings())
    assert rules.check_redirect(SipUri.parse(dialled), SipUri.parse("sip:bob@pbx.example")) is not None
    assert rules.check_redirect(SipUri.parse(dialled), SipUri.parse("sip:bob@pbx.example;transport=TLS")) is None


def test_a_long_address_is_shown_in_part():
    refusal = DialRules(DiallingSettings(allow=("bob",))).check(SipUri.parse(f"sip:{'9' * 5000}@pbx.example"))
    assert refusal is not None and len(refusal) < 200
