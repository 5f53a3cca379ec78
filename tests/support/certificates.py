"""An authority of a test's own, and certificates by it: good ones, expired ones, ones for somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Certificate:
    """PEM files. `both` holds key and chain, as some peers want them."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates; whoever is to trust them gets `ca_file`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = folder / "ca.pem"
        self._folder = folder
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(self.ca_file)

    def issue(self, name: str, *identities: str, expired: bool = False) -> Certificate:
        """Write a certificate for these addresses and host names, loopback's unless told otherwise, under a file name."""
        now = datetime.now(UTC)
        leaf = self._ca.issue_cert(
            *(identities or LOOPBACK),
            not_before=now - timedelta(days=2),
            not_after=now - timedelta(days=1) if expired else now + timedelta(days=1),
        )
        certificate, key, both = (self._folder / f"{name}.{kind}" for kind in ("crt", "key", "pem"))
        for number, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(certificate, append=number > 0)
        leaf.private_key_pem.write_to_path(key)
        leaf.private_key_and_cert_chain_pem.write_to_path(both)
        return Certificate(certificate, key, both)
