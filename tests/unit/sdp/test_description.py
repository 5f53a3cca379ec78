from __future__ import annotations

import pytest

from voip_engine.sdp.description import Attribute, MalformedSdp, SessionDescription

# RFC 8866 §5's own example, shortened by nothing that matters here.
RFC_8866_EXAMPLE = b"""v=0\r
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r
s=Call to John Smith\r
i=SDP Offer #1\r
u=http://www.jdoe.example.com/home.html\r
e=Jane Doe <jane@jdoe.example.com>\r
p=+1 617 555-6011\r
c=IN IP4 198.51.100.1\r
t=0 0\r
m=audio 49170 RTP/AVP 0\r
m=audio 49180 RTP/AVP 0\r
m=video 51372 RTP/AVP 99\r
c=IN IP6 2001:db8::2\r
a=rtpmap:99 h263-1998/90000\r
"""


def test_reads_the_example_of_rfc_8866() -> None:
    description = SessionDescription.parse(RFC_8866_EXAMPLE)
    assert description.origin.username == "jdoe"
    assert description.origin.session_version == "3724394405"
    assert description.name == "Call to John Smith"
    assert [(media.kind, media.port, media.formats) for media in description.media] == [
        ("audio", 49170, ("0",)),
        ("audio", 49180, ("0",)),
        ("video", 51372, ("99",)),
    ]
    assert description.media_host(description.media[0]) == "198.51.100.1"
    assert description.media_host(description.media[2]) == "2001:db8::2"
    assert description.media[2].attributes == (Attribute("rtpmap", "99 h263-1998/90000"),)


def test_writes_what_it_read() -> None:
    description = SessionDescription.parse(RFC_8866_EXAMPLE)
    data = description.serialize()
    assert SessionDescription.parse(data) == description
    assert b"\r\nc=IN IP6 2001:db8::2\r\n" in data
    assert data.startswith(b"v=0\r\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call to John Smith\r\n")
    assert data.endswith(b"\r\n")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"v=0\no=- 1 1 IN IP4 192.0.2.1\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n", id="bare-lf"),
        pytest.param(b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0", id="cut-end"),
        pytest.param(
            b"\r\nv=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n\r\nc=IN IP4 192.0.2.1/127\r\nm=audio 4000/1 RTP/AVP 0\r\n\r\n\0",
            id="blank-lines-ttl-and-nul",
        ),
        pytest.param(
            b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nX=?\r\nc=IN IP4 192.0.2.1\r\na=\r\n"
            b"m=audio 4000 RTP/AVP 0\r\nk=prompt\r\n",
            id="unknown-lines",
        ),
    ],
)
def test_reads_what_sloppy_phones_write(body: bytes) -> None:
    description = SessionDescription.parse(body)
    assert description.name == "-"
    assert description.media_host(description.media[0]) == "192.0.2.1"
    assert (description.media[0].port, description.media[0].formats) == (4000, ("0",))


def test_an_attribute_of_the_section_counts_before_the_sessions() -> None:
    description = SessionDescription.parse(
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\na=ptime:40\r\n"
        b"m=audio 4000 RTP/AVP 0\r\na=ptime:20\r\nm=audio 4002 RTP/AVP 0\r\n"
    )
    assert [description.attribute(media, "ptime") for media in description.media] == ["20", "40"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"\r\n\r\n", "empty"),
        (b"hello", "line 1"),
        (b"v=1\r\n", "v=0"),
        (b"o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n", "v=0"),
        (b"v=0\r\ns=-\r\n", "no o="),
        (b"v=0\r\no=- 1 1 IN IP4\r\n", "line 2: o="),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4\r\n", "line 3: c="),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN ATM 192.0.2.1\r\n", "line 3: c="),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 /127\r\n", "no address"),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4000\r\n", "line 3: m="),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 65536 RTP/AVP 0\r\n", "line 3: m="),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio -1 RTP/AVP 0\r\n", "line 3: m="),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4000/0 RTP/AVP 0\r\n", "line 3: m="),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio \xd9\xa3 RTP/AVP 0\r\n", "line 3: m="),
        (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nrubbish\r\n", "line 3"),
        (b"\xff\xfe\x00\x01", "line 1"),
    ],
)
def test_says_which_line_is_malformed(body: bytes, words: str) -> None:
    with pytest.raises(MalformedSdp, match=words):
        SessionDescription.parse(body)
