"""What the engine can be told, as frozen values that are checked when they are made.

Each field carries its rule in plain words and an example, which error messages are made from; docs/settings.md has all.
`settings_file.py` reads a file, `options.py` joins command line, environment and file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from voip_engine.hosts import is_literal
from voip_engine.network_settings import (
    AdmissionSettings,
    DiallingSettings,
    DtmfPolicy,
    TlsSettings,
)
from voip_engine.sdp.plan import CODEC_PREFERENCE, CodecName, SrtpPolicy
from voip_engine.secret import Secret as Secret
from voip_engine.settings_fields import SettingsError as SettingsError
from voip_engine.settings_fields import check, check_fields
from voip_engine.sip.flow import Transport
from voip_engine.sip.messages.uri import MalformedUri, SipUri
from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings, VoiceSettings

DEFAULT_LISTEN = ("udp:0.0.0.0:5060", "tcp:0.0.0.0:5060")
"""Where an engine without accounts and without `listen` takes direct calls."""

_TRANSPORTS: Mapping[str, Transport] = {"udp": "UDP", "tcp": "TCP", "tls": "TLS"}


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An address to listen on. `host` is a name or an address without brackets; port 0 takes a free one."""

    transport: Transport
    host: str
    port: int

    @staticmethod
    def parse(text: str) -> ListenAddress:
        """Read `udp:127.0.0.1:5060`, `tcp:[::]:5060` or `tls:0.0.0.0:5061`. Raises ValueError in plain words."""
        transport, _, address = text.partition(":")
        host, colon, port = address.rpartition(":")
        if transport.lower() not in _TRANSPORTS:
            raise ValueError("it does not begin with udp:, tcp: or tls:")
        if not colon or not (port.isascii() and port.isdigit()) or int(port[:6]) > 65_535:
            raise ValueError("it does not end with a port from 0 to 65535")
        bracketed = host.startswith("[") and host.endswith("]")
        if ":" in host and not bracketed:
            raise ValueError("an IPv6 address stands in brackets: udp:[::1]:5060")
        host = host[1:-1] if bracketed else host
        if not host:
            raise ValueError("it has no address; 0.0.0.0 means all of this machine's")
        return ListenAddress(_TRANSPORTS[transport.lower()], host, int(port))


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One line at a PBX or carrier. Raises SettingsError."""

    uri: Annotated[
        str,
        Meta(
            description="a SIP address with a user name: sip:user@host, sip:user@host:port, …;transport=tls, sips:user@host",
            examples=["sip:alice@pbx.example;transport=tls"],
        ),
    ]
    password: Annotated[Secret | None, Meta(description="a text in quotes", examples=["…"])] = None
    username: Annotated[str | None, Meta(description="a text in quotes", examples=["alice-auth"])] = None
    display_name: Annotated[str, Meta(description="a text in quotes", examples=["Alice"])] = ""
    registrar: Annotated[
        str | None, Meta(description="a host name or address, with a port or without", examples=["pbx.example:5060"])
    ] = None
    outbound_proxy: Annotated[
        str | None,
        Meta(
            description="a host name or address, with a port or without, ;transport=tcp if it differs",
            examples=["proxy.example:5060"],
        ),
    ] = None
    expires_s: Annotated[int, Meta(ge=60, le=86_400, description="60 to 86400 seconds", examples=[300])] = 300
    register: Annotated[bool, Meta(description="true or false", examples=[True])] = True
    srtp: Annotated[SrtpPolicy | None, Meta(description="off, offered or required", examples=["required"])] = None
    """Whether this account's audio is encrypted; None: as in the engine's `srtp`."""
    dtmf: Annotated[DtmfPolicy, Meta(description="auto, rfc4733 or info", examples=["auto"])] = "auto"
    voicemail: Annotated[bool, Meta(description="true or false", examples=[True])] = True
    """Whether the registrar is asked to tell of waiting messages (RFC 3842)."""
    agent: Annotated[AgentSettings | None, Meta(description="an [accounts.agent] table")] = None
    """How the agent behaves on this account's calls, if not as everywhere."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def address_of_record(self) -> SipUri:
        """The account's address without parameters, which names the account everywhere."""
        uri = SipUri.parse(self.uri)
        return SipUri(uri.scheme, uri.user, uri.host.lower(), uri.port)


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of an engine. Raises SettingsError."""

    listen: Annotated[
        tuple[str, ...],
        Meta(
            description="addresses as udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT, port 0 taking a free one",
            examples=[["udp:0.0.0.0:5060", "tcp:[::]:5060"]],
        ),
    ] = ()
    accounts: Annotated[tuple[AccountSettings, ...], Meta(description="[[accounts]] tables")] = ()
    mode: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.\-]+$", description="the name of a mode", examples=["echo"])] = (
        "echo"
    )
    auto_answer: Annotated[bool, Meta(description="true or false", examples=[True])] = False
    max_calls: Annotated[int, Meta(ge=1, le=10_000, description="a whole number from 1 to 10000", examples=[100])] = 100
    codecs: Annotated[
        tuple[CodecName, ...],
        Meta(
            min_length=1,
            description="one or more of opus, G722, PCMA and PCMU, the best first",
            examples=[["opus", "PCMA"]],
        ),
    ] = CODEC_PREFERENCE
    media_host: Annotated[str | None, Meta(description="an IP address of this machine", examples=["192.0.2.10"])] = None
    rtp_ports: Annotated[
        tuple[int, int] | None,
        Meta(description="the lowest and the highest UDP port for audio, 1024 to 65535", examples=[[16384, 32767]]),
    ] = None
    srtp: Annotated[SrtpPolicy, Meta(description="off, offered or required", examples=["offered"])] = "off"
    """Whether audio is encrypted on calls without an account, and on accounts that say nothing else."""
    stun: Annotated[
        str | None,
        Meta(description="a STUN server's name or address, with a port or without", examples=["stun.example:3478"]),
    ] = None
    session_timer_s: Annotated[int, Meta(ge=0, le=86_400, description="0, or 90 to 86400 seconds", examples=[1800])] = (
        1800
    )
    """How often a call is confirmed to be still there (RFC 4028); 0 asks for no such thing."""
    tls: Annotated[TlsSettings, Meta(description="a [tls] table")] = msgspec.field(default_factory=TlsSettings)
    admission: Annotated[AdmissionSettings, Meta(description="an [admission] table")] = msgspec.field(
        default_factory=AdmissionSettings
    )
    dialling: Annotated[DiallingSettings, Meta(description="a [dialling] table")] = msgspec.field(
        default_factory=DiallingSettings
    )
    voice: Annotated[VoiceSettings, Meta(description="a [voice] table")] = msgspec.field(default_factory=VoiceSettings)
    transcription: Annotated[TranscriptionSettings, Meta(description="a [transcription] table")] = msgspec.field(
        default_factory=TranscriptionSettings
    )
    speaking: Annotated[SpeakingSettings, Meta(description="a [speaking] table")] = msgspec.field(
        default_factory=SpeakingSettings
    )
    agent: Annotated[AgentSettings, Meta(description="an [agent] table")] = msgspec.field(default_factory=AgentSettings)
    media_timeout_s: Annotated[float, Meta(ge=1, le=3_600, description="1 to 3600 seconds", examples=[30])] = 30.0
    hang_up_on_media_timeout: Annotated[bool, Meta(description="true or false", examples=[True])] = True
    keep_ended_s: Annotated[float, Meta(ge=0, le=86_400, description="0 to 86400 seconds", examples=[30])] = 30.0
    monitor_device: Annotated[str | None, Meta(description="the name of a sound device", examples=["USB Headset"])] = (
        None
    )
    monitor_volume: Annotated[float, Meta(ge=0, le=1, description="0 to 1", examples=[0.8])] = 0.8
    monitor_layout: Annotated[
        Literal["split", "mixed"],
        Meta(description="split (caller left, our side right) or mixed", examples=["split"]),
    ] = "split"
    console: Annotated[dict[str, Any], Meta(description="a [console] table")] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def addresses_to_listen_on(self) -> tuple[str, ...]:
        """Where calls are taken: what `listen` says, and without accounts port 5060 where it says nothing."""
        return self.listen or (() if self.accounts else DEFAULT_LISTEN)

    def agent_of(self, account: str | None) -> AgentSettings:
        """Return how the agent behaves on the calls of an account, by its address of record, or on those of none."""
        own = self._account(account)
        return own.agent if own is not None and own.agent is not None else self.agent

    def dtmf_of(self, account: str | None) -> DtmfPolicy:
        """Return how keys are sent on the calls of an account, or on those of none."""
        own = self._account(account)
        return own.dtmf if own is not None else "auto"

    def _account(self, address: str | None) -> AccountSettings | None:
        return next((each for each in self.accounts if str(each.address_of_record) == address), None)


def _check_account_uri(text: str) -> None:
    try:
        uri = SipUri.parse(text)
    except MalformedUri as error:
        raise ValueError(str(error)) from None
    if uri.password is not None:
        raise ValueError(
            "and it never holds the password: put that into the environment as VOIP_PASSWORD, "
            "into the settings file, or type it when asked"
        )
    transport = (uri.parameter("transport") or "udp").lower()
    if uri.scheme not in ("sip", "sips"):
        raise ValueError(f"this one begins with {uri.scheme}: instead of sip:")
    if not uri.user:
        raise ValueError("this one has no user name before the @")
    if transport not in _TRANSPORTS:
        raise ValueError("transport is udp, tcp or tls")
    if uri.scheme == "sips" and transport != "tls" and uri.has_parameter("transport"):
        raise ValueError("sips: goes over TLS, so that no other transport stands behind it")
    if uri.headers:
        raise ValueError("nothing may follow a question mark")


def _check_accounts(accounts: tuple[AccountSettings, ...]) -> None:
    addresses = [str(account.address_of_record) for account in accounts]
    if twice := next((address for address in addresses if addresses.count(address) > 1), None):
        raise ValueError(f"{twice} stands there twice")


def _check_listen(addresses: tuple[str, ...]) -> None:
    for address in addresses:
        try:
            ListenAddress.parse(address)
        except ValueError as error:
            raise ValueError(f"of {address[:60]!r}: {error}") from None


def _check_server(text: str) -> None:
    if "://" in text:
        raise ValueError("no :// stands in it")
    try:
        uri = SipUri.parse(text if text.startswith(("sip:", "sips:")) else f"sip:{text}")
    except MalformedUri as error:
        raise ValueError(str(error)) from None
    if uri.user or uri.password:
        raise ValueError("no user name stands in it")
    if (uri.parameter("transport") or "udp").lower() not in _TRANSPORTS:
        raise ValueError("transport is udp, tcp or tls")


def _check_session_timer(seconds: int) -> None:
    if 0 < seconds < 90:
        raise ValueError("RFC 4028 allows no less than 90")


def _check_codecs(codecs: tuple[CodecName, ...]) -> None:
    if len(set(codecs)) < len(codecs):
        raise ValueError("one stands there twice")


def _check_rtp_ports(ports: tuple[int, int]) -> None:
    lowest, highest = ports
    if not 1_024 <= lowest < highest <= 65_535:
        raise ValueError(f"{lowest} to {highest} is no such range")


def _check_address(text: str) -> None:
    if not is_literal(text):
        raise ValueError(f"{text[:60]!r} is none")


check(AccountSettings, "uri", _check_account_uri)
check(AccountSettings, "registrar", _check_server)
check(AccountSettings, "outbound_proxy", _check_server)
check(EngineSettings, "accounts", _check_accounts)
check(EngineSettings, "listen", _check_listen)
check(EngineSettings, "stun", _check_server)
check(EngineSettings, "session_timer_s", _check_session_timer)
check(EngineSettings, "codecs", _check_codecs)
check(EngineSettings, "rtp_ports", _check_rtp_ports)
check(EngineSettings, "media_host", _check_address)
