from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from support.dns_server import NameServer, name_server

from voip_engine.sip.flow import NextHop
from voip_engine.sip.network.dns_resolver import DnsResolver
from voip_engine.sip.network.locating import TARGETS, Service, in_order, locate
from voip_engine.sip.network.sockets import TransportError

HOSTS = ("a.pbx.test A 192.0.2.1", "b.pbx.test A 192.0.2.2", "b.pbx.test AAAA 2001:db8::2", "pbx.test A 192.0.2.9")


async def found(server: NameServer, hop: NextHop) -> list[tuple[str, str, int]]:
    hops = await locate(hop, DnsResolver(("127.0.0.1",), server.port), Random(1))
    assert {each.domain for each in hops} == {hop.domain or hop.host}
    return [(each.transport, each.host, each.port) for each in hops]


async def test_servers_come_in_the_order_of_srv() -> None:
    records = ("_sip._tcp.pbx.test SRV 20 0 5060 a.pbx.test.", "_sip._tcp.pbx.test SRV 10 0 5070 b.pbx.test.")
    async with name_server(*records, *HOSTS) as server:
        assert await found(server, NextHop("TCP", "pbx.test", 0)) == [
            ("TCP", "192.0.2.2", 5070),
            ("TCP", "2001:db8::2", 5070),
            ("TCP", "192.0.2.1", 5060),
        ]
        assert not any(asked.startswith("NAPTR") for asked in server.asked)


async def test_naptr_chooses_the_transport_that_nobody_named() -> None:
    records = (
        'pbx.test NAPTR 10 50 "s" "SIP+D2U" "" _sip._udp.pbx.test.',
        'pbx.test NAPTR 10 20 "s" "SIPS+D2T" "" _sips._tcp.edge.test.',
        'pbx.test NAPTR 10 10 "s" "SIP+D2S" "" _sip._sctp.pbx.test.',
        'pbx.test NAPTR 90 10 "s" "SIP+D2T" "" _sip._tcp.pbx.test.',
        "_sip._udp.pbx.test SRV 10 0 5080 a.pbx.test.",
        "_sip._tcp.pbx.test SRV 10 0 5080 a.pbx.test.",
        "_sips._tcp.edge.test SRV 10 0 5071 a.pbx.test.",
    )
    async with name_server(*records, *HOSTS) as server:
        assert await found(server, NextHop("UDP", "pbx.test", 0, any_transport=True)) == [
            ("TLS", "192.0.2.1", 5071),
            ("UDP", "192.0.2.1", 5080),
        ]


async def test_without_naptr_the_transport_is_one_that_has_servers() -> None:
    async with name_server("_sip._tcp.pbx.test SRV 10 0 5070 a.pbx.test.", *HOSTS) as server:
        hop = NextHop("UDP", "pbx.test", 0, any_transport=True)
        assert await found(server, hop) == [("TCP", "192.0.2.1", 5070)]


async def test_sips_asks_for_secure_servers_and_keeps_the_domain() -> None:
    async with name_server("_sips._tcp.pbx.test SRV 10 0 5071 a.pbx.test.", *HOSTS) as server:
        assert await found(server, NextHop("TLS", "pbx.test", 0)) == [("TLS", "192.0.2.1", 5071)]


@pytest.mark.parametrize(
    ("hop", "expected"),
    [
        (NextHop("UDP", "pbx.test", 0, any_transport=True), [("UDP", "192.0.2.9", 5060)]),
        (NextHop("TLS", "pbx.test", 0), [("TLS", "192.0.2.9", 5061)]),
        (NextHop("TCP", "b.pbx.test", 5099), [("TCP", "192.0.2.2", 5099), ("TCP", "2001:db8::2", 5099)]),
    ],
)
async def test_without_srv_the_address_of_the_domain_counts(hop: NextHop, expected: list[tuple[str, str, int]]) -> None:
    async with name_server(*HOSTS) as server:
        assert await found(server, hop) == expected
        if hop.port:
            assert {asked.split()[0] for asked in server.asked} == {"A", "AAAA"}


async def test_a_server_without_an_address_is_left_out() -> None:
    records = ("_sip._udp.pbx.test SRV 10 0 5060 gone.pbx.test.", "_sip._udp.pbx.test SRV 20 0 5060 a.pbx.test.")
    async with name_server(*records, *HOSTS) as server:
        assert await found(server, NextHop("UDP", "pbx.test", 0)) == [("UDP", "192.0.2.1", 5060)]


async def test_of_many_servers_no_more_are_looked_up_than_are_tried() -> None:
    numbers = range(40)
    records = [f"_sip._tcp.pbx.test SRV {40 - number} 0 5060 n{number}.pbx.test." for number in numbers]
    hosts = [f"n{number}.pbx.test A 192.0.2.{number}" for number in numbers]
    async with name_server(*records, *hosts) as server:
        hops = await found(server, NextHop("TCP", "pbx.test", 0))
        assert hops == [("TCP", f"192.0.2.{number}", 5060) for number in range(39, 39 - TARGETS, -1)]
        assert sum(asked.startswith("A ") for asked in server.asked) == TARGETS


async def test_of_many_pointers_no_more_are_followed_than_servers_are_tried() -> None:
    pointers = [f'pbx.test NAPTR 10 {number} "s" "SIP+D2T" "" _sip._tcp.n{number}.test.' for number in range(40)]
    async with name_server(*pointers, *HOSTS) as server:
        assert await found(server, NextHop("UDP", "pbx.test", 0, any_transport=True)) == [("UDP", "192.0.2.9", 5060)]
        assert sum(asked.startswith("SRV _sip._tcp.n") for asked in server.asked) == TARGETS


async def test_what_leads_nowhere_is_said_in_plain_words() -> None:
    async with name_server("_sip._udp.none.test SRV 0 0 0 .", *HOSTS) as server:
        with pytest.raises(TransportError, match=r"none\.test says that it takes no SIP calls"):
            await found(server, NextHop("UDP", "none.test", 0))
        with pytest.raises(TransportError, match=r"No such host: nobody\.test"):
            await found(server, NextHop("UDP", "nobody.test", 0))


async def test_names_of_this_machine_are_not_asked_of_dns() -> None:
    async with name_server() as server:
        resolver = DnsResolver(("127.0.0.1",), server.port)
        for host in ("localhost", "phone.local", "pbx"):
            with pytest.raises(TransportError):
                await locate(NextHop("UDP", host, 0, any_transport=True), resolver, Random(1))
        assert {asked.split()[0] for asked in server.asked} == {"A", "AAAA"}
        assert await locate(NextHop("TLS", "192.0.2.1", 0, "pbx.test"), resolver, Random(1)) == (
            NextHop("TLS", "192.0.2.1", 5061, "pbx.test"),
        )


def test_weights_share_the_load_within_a_priority() -> None:
    random = Random(1)
    services = [
        Service(1, 30, 1, "three"),
        Service(1, 10, 1, "one"),
        Service(1, 0, 1, "none"),
        Service(0, 0, 1, "first"),
    ]
    orders = [in_order(services, random) for _ in range(4000)]
    assert all(order[0].host == "first" and len(order) == 4 for order in orders)
    second = Counter(order[1].host for order in orders)
    assert 2.6 < second["three"] / second["one"] < 3.4
    assert 0 < second["none"] < 300
