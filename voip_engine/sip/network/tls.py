"""TLS contexts from certificate files, and in plain words why a connection over TLS was not made."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

from voip_engine.sip.network.sockets import TransportError

# OpenSSL's verification results (X509_V_ERR_…) that people can do something about.
_NOT_YET_VALID = 9
_EXPIRED = 10
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})


class WrongName(ConnectionError):
    """A certificate is sound, but somebody else's. `names` are those it was issued for."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__("the certificate is for somebody else")
        self.names = names


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: authorities to trust in place of the system's, our certificate, and its key if not beside it."""

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


class TlsContexts:
    """Makes the contexts when they are first needed, in a thread: the system's authorities take tens of milliseconds."""

    def __init__(self, files: TlsFiles | None = None) -> None:
        self._files = files or TlsFiles()
        self._making = asyncio.Lock()
        self._client: ssl.SSLContext | None = None
        self._server: ssl.SSLContext | None = None

    async def client(self) -> ssl.SSLContext:
        """Return the context for connections of ours. It verifies chains; names are the caller's business.

        Raises TransportError.
        """
        async with self._making:
            if self._client is None:
                self._client = await asyncio.to_thread(self._make_client)
        return self._client

    async def server(self) -> ssl.SSLContext:
        """Return the context for connections of others. Raises TransportError."""
        if self._files.certificate_file is None:
            raise TransportError(
                "Listening on tls: needs a certificate. Set certificate_file (and key_file) in the [tls] table."
            )
        async with self._making:
            if self._server is None:
                self._server = await asyncio.to_thread(self._make_server)
        return self._server

    def _make_client(self) -> ssl.SSLContext:
        ca_file = self._files.ca_file
        try:
            context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file)
        except FileNotFoundError:
            raise TransportError(f"There is no file {ca_file}, which ca_file in [tls] names.") from None
        except OSError as error:
            raise TransportError(
                f"{ca_file} holds no certificates that can be read: PEM is wanted ({error.strerror})."
            ) from None
        context.check_hostname = False  # RFC 5922 has rules of its own, see certificates.py
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._files.certificate_file is not None:
            self._load_own(context)
        return context

    def _make_server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load_own(context)
        return context

    def _load_own(self, context: ssl.SSLContext) -> None:
        certificate, key = self._files.certificate_file or "", self._files.key_file

        def refuse() -> str:
            # Without this OpenSSL would ask for the password on the terminal, in the middle of the screen.
            raise TransportError(f"The key in {key or certificate} has a password. Store it without: openssl pkey.")

        for path in (certificate, key):
            if path is not None and not Path(path).is_file():
                raise TransportError(f"There is no file {path}, which the [tls] table names.")
        try:
            context.load_cert_chain(certificate, key, password=refuse)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise TransportError(f"The key in {key or certificate} does not belong to {certificate}.") from None
            raise TransportError(
                f"{certificate} and {key or 'the key in it'} cannot be read: PEM is wanted, a certificate and its key."
            ) from None
        except OSError as error:
            raise TransportError(f"{key or certificate} cannot be read: {error.strerror}.") from None


def describe_tls_failure(error: BaseException, place: str, domain: str) -> str | None:
    """Say in plain words what TLS did not like about a peer; None when it was not TLS."""
    if isinstance(error, WrongName):
        names = ", ".join(error.names[:3]) or "nobody in particular"
        return f"the certificate of {place} is for {names}, not for {domain}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {domain} {_verification_words(error)}"
    if not isinstance(error, ssl.SSLError):
        return None
    reason = (error.reason or "").upper()
    if "WRONG_VERSION_NUMBER" in reason or "HTTP_REQUEST" in reason or "RECORD_LAYER" in reason:
        return f"{place} speaks no TLS there; perhaps that port is for TCP"
    if "CERTIFICATE_REQUIRED" in reason or "ALERT_UNKNOWN_CA" in reason or "ALERT_BAD_CERTIFICATE" in reason:
        return f"{place} wants a certificate of ours that it trusts: set certificate_file in the [tls] table"
    if "UNSUPPORTED_PROTOCOL" in reason or "PROTOCOL_VERSION" in reason:
        return f"{place} speaks only versions of TLS before 1.2, which are not safe"
    return f"{place} broke off TLS: {reason.replace('_', ' ').lower() or 'no reason given'}"


def _verification_words(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        return "has expired; its owner has to renew it (or this machine's clock is wrong)"
    if error.verify_code == _NOT_YET_VALID:
        return "is not valid yet; this machine's clock may be wrong"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return "was issued by an authority that is not trusted here; name that one as ca_file in the [tls] table"
    return f"is not accepted: {error.verify_message}"
