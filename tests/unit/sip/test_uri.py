from __future__ import annotations

import pytest

from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.uri import MalformedUri, NameAddress, SipUri


def test_takes_a_uri_apart() -> None:
    uri = SipUri.parse("sips:al%69ce:s%65cret@Example.COM:5061;transport=tcp;lr?Subject=hi%20there&Priority=urgent")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == ("sips", "alice", "secret", "Example.COM", 5061)
    assert uri.parameter("TRANSPORT") == "tcp"
    assert uri.has_parameter("lr")
    assert uri.parameter("lr") is None
    assert not uri.has_parameter("maddr")
    assert uri.headers == (("Subject", "hi there"), ("Priority", "urgent"))


@pytest.mark.parametrize(
    "text",
    [
        "sip:example.com",
        "sip:alice@[2001:db8::10]:5070;transport=tcp",
        "sip:+14155550100;phone-context=example.com@gw.example.com;user=phone",
        "sip:j%40s%3An@192.0.2.1",
        "sip:null-%00-null@example.com",
        "sip:%C3%BCber@example.com",
        "tel:+358-555-1234567;postd=pp22",
        "isbn:2983792873",
    ],
)
def test_writes_what_it_read(text: str) -> None:
    assert str(SipUri.parse(text)) == text


def test_escapes_are_undone_once() -> None:
    assert SipUri.parse("sip:%2541@example.com").user == "%41"


def test_an_at_sign_ends_the_user_whatever_the_user_holds() -> None:
    uri = SipUri.parse("sip:user;par=u%40example.net?x/,@example.com")
    assert (uri.user, uri.host, uri.parameters) == ("user;par=u@example.net?x/,", "example.com", ())


def test_the_password_is_only_written_to_the_wire() -> None:
    address = NameAddress.parse("Bob <sip:bob:hunter2@example.com>")
    for text in (str(address), repr(address), str(address.uri), repr(address.uri), f"{address.uri}"):
        assert "hunter2" not in text
    assert address.serialize() == '"Bob" <sip:bob:hunter2@example.com>'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "sip:",
        "sip:@example.com",
        "sip:alice@",
        "sip:alice@exa mple.com",
        "sip:alice@example.com:",
        "sip:alice@example.com:0",
        "sip:alice@example.com:65536",
        "sip:alice@example.com:٣",
        "sip:alice@example.com:" + "9" * 5000,
        "sip:alice@[::1",
        "sip:alice@[::1]x",
        "sip:alice@[example.com]",
        "sip:alice@example.com;",
        "sip:alice@example.com;;lr",
        "sip:alice@example.com?",
        "sip:alice@example.com?x",
        "sip:%FF@example.com",
        "<sip:alice@example.com>",
        'sip:"alice"@example.com',
        "sip:alice@example.com\r\nVia: x",
        "1sip:alice@example.com",
    ],
)
def test_malformed_uris_are_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(MalformedUri) as caught:
        SipUri.parse(text)
    assert "alice" not in str(caught.value)


# RFC 3261 §19.1.4
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ],
)
def test_the_rfc_examples_that_match(one: str, other: str) -> None:
    assert SipUri.parse(one).matches(SipUri.parse(other))
    assert SipUri.parse(other).matches(SipUri.parse(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
    ],
)
def test_the_rfc_examples_that_differ(one: str, other: str) -> None:
    assert not SipUri.parse(one).matches(SipUri.parse(other))
    assert not SipUri.parse(other).matches(SipUri.parse(one))


def test_parameters_are_set_and_left_out() -> None:
    uri = SipUri.parse("sip:a@example.com;LR;transport=udp")
    assert str(uri.with_parameter("Transport", "tcp")) == "sip:a@example.com;LR;transport=tcp"
    assert str(uri.with_parameter("ob")) == "sip:a@example.com;LR;transport=udp;ob"
    assert str(uri.without_parameter("lr")) == "sip:a@example.com;transport=udp"
    assert str(SipUri.parse("sip:a@example.com?x=y").without_headers()) == "sip:a@example.com"


@pytest.mark.parametrize(
    ("text", "display_name", "uri", "tag"),
    [
        ("sip:a@example.com", "", "sip:a@example.com", None),
        ("sip:a@example.com ;  tag = 1x", "", "sip:a@example.com", "1x"),
        ("<sip:a@example.com;lr>;tag=1", "", "sip:a@example.com;lr", "1"),
        ('"A \\"quoted\\\\ one"<sip:a@example.com>;TAG=1', 'A "quoted\\ one', "sip:a@example.com", "1"),
        ("Mr.   Tokens <sip:a@example.com>", "Mr. Tokens", "sip:a@example.com", None),
        ("Müller (home) <sip:a@example.com>", "Müller (home)", "sip:a@example.com", None),
        ("<tel:+15550100>;tag=1", "", "tel:+15550100", "1"),
        ('<sip:a@example.com>;x="a;b,<c>";tag=1', "", "sip:a@example.com", "1"),
    ],
)
def test_takes_a_name_address_apart(text: str, display_name: str, uri: str, tag: str | None) -> None:
    address = NameAddress.parse(text)
    assert (address.display_name, str(address.uri), address.tag) == (display_name, uri, tag)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"Unbalanced <sip:a@example.com>',
        '"Alone"',
        '"Twice" "quoted" <sip:a@example.com>',
        "Bell, Alexander <sip:a@example.com>",
        "< sip:a@example.com >",
        "<sip:a@example.com",
        "<sip:a@example.com> tag=1",
        "<sip:a@example.com>;;",
        "<sip:a@example.com>;=x",
        '<sip:a@example.com>;x="y',
        "<sip:a@example.com>;x=y z",
        "sip:a@example.com?Route=%3Csip:b%3E",
    ],
)
def test_malformed_name_addresses_are_refused(text: str) -> None:
    with pytest.raises(MalformedHeader):
        NameAddress.parse(text)


def test_a_display_name_cannot_break_out_of_its_header() -> None:
    address = NameAddress('Eve" <sip:x>\r\nVia: y', SipUri("sip", "eve\r\n", "example.com"))
    assert str(address) == '"Eve\\" <sip:x> Via: y" <sip:eve%0D%0A@example.com>'
    assert NameAddress.parse(str(address)).display_name == 'Eve" <sip:x> Via: y'


def test_tags_are_given_and_taken() -> None:
    address = NameAddress.parse("<sip:a@example.com>;x=1")
    assert str(address.with_tag("abc")) == "<sip:a@example.com>;x=1;tag=abc"
    assert address.with_tag("abc").with_tag(None) == address
    assert str(address.with_parameter("x", "a b")) == '<sip:a@example.com>;x="a b"'
