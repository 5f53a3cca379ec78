"""kamailio as registrar and proxy: digest for REGISTER and INVITE, Record-Route, UDP and TCP on one loopback port.

With a certificate it takes TLS on the port above. It also serves as an outbound proxy that only passes things on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from support.certificates import Certificate
from support.ports import free_port_range
from support.processes import Child, running
from support.programs import program

REALM = "pbx.test"

CONFIG = """\
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
{tls}tcp_connection_lifetime=600
tcp_accept_no_cl=no

loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"

modparam("usrloc", "db_mode", 0)
modparam("registrar", "method_filtering", 0)
modparam("auth", "nonce_expire", 300)
modparam("rr", "enable_full_lr", 1)

request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    sl_send_reply("404", "Not Here");
    exit;
  }}
  t_check_trans();
  if (is_method("REGISTER")) {{
    if (!pv_www_authenticate("{realm}", "{password}", "0")) {{ www_challenge("{realm}", "1"); exit; }}
    save("location");
    exit;
  }}
  if (is_method("SUBSCRIBE")) {{ sl_send_reply("489", "Bad Event"); exit; }}
  if (is_method("INVITE")) {{
    if (!pv_proxy_authenticate("{realm}", "{password}", "0")) {{ proxy_challenge("{realm}", "1"); exit; }}
    consume_credentials();
    append_hf("P-Asserted-Identity: Known Caller <sip:$fU@{realm}>\\r\\n");
    record_route();
  }}
  if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
  t_relay();
}}
"""

TLS = """\
enable_tls=yes
listen=tls:127.0.0.1:{port}
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{certificate}")
modparam("tls", "private_key", "{key}")
"""

NO_CLIENT_CERTIFICATES = """\
modparam("tls", "verify_certificate", 0)
"""

CLIENT_CERTIFICATES = """\
modparam("tls", "ca_list", "{ca_file}")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 1)
"""

PROXY = """\
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
auto_aliases=no
disable_tcp=yes
listen=udp:127.0.0.1:{port}

loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"

request_route {{
  xlog("L_WARN", "passed on: $rm $ru by $(hdr(Route)[0])\n");
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  loose_route();
{record_route}  t_relay();
}}
"""


RECORD_ROUTE = """\
  if (!has_totag() && is_method("INVITE")) record_route();
"""


@dataclass(frozen=True)
class Kamailio:
    """A running registrar; every user of it has the same password."""

    child: Child
    port: int

    def address(self, transport: str) -> str:
        """Host and port for a transport, and the transport as a parameter."""
        return f"127.0.0.1:{self.port + (transport == 'tls')};transport={transport}"


@asynccontextmanager
async def kamailio(
    folder: Path, password: str, certificate: Certificate | None = None, *, clients: Path | None = None
) -> AsyncIterator[Kamailio]:
    """A registrar and proxy while the block runs; whoever signs for its clients over TLS is in the file `clients`, if any."""
    port = free_port_range(2)
    tls = ""
    if certificate is not None:
        tls = TLS.format(port=port + 1, certificate=certificate.certificate, key=certificate.key)
        tls += CLIENT_CERTIFICATES.format(ca_file=clients) if clients is not None else NO_CLIENT_CERTIFICATES
    config = CONFIG.format(port=port, realm=REALM, password=password, tls=tls)
    async with _running(_written(folder, config), port) as made:
        yield made


@asynccontextmanager
async def outbound_proxy(folder: Path, *, record_route: bool) -> AsyncIterator[Kamailio]:
    """A proxy over UDP that passes everything on, and logs what."""
    port = free_port_range(2)
    config = PROXY.format(port=port, record_route=RECORD_ROUTE if record_route else "")
    async with _running(_written(folder, config), port) as made:
        yield made


@asynccontextmanager
async def _running(path: Path, port: int) -> AsyncIterator[Kamailio]:
    argv = (
        program("kamailio"),
        "-DD",
        "-E",
        "-f",
        str(path),
        "-Y",
        str(path.parent),
        "-m",
        "32",
        "-M",
        "4",
        "-w",
        str(path.parent),
    )
    async with running("kamailio", *argv) as child:
        await child.wait_for("SO_RCVBUF is finally", within_s=10)  # all sockets are bound; the workers come next
        yield Kamailio(child, port)


def _written(folder: Path, config: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kamailio.cfg"
    path.write_text(config)
    return path
