from __future__ import annotations

import asyncio

from voip_engine.bus import Bus


async def test_every_subscriber_gets_everything_in_order():
    bus: Bus[int] = Bus()
    first, second = bus.subscribe(), bus.subscribe()
    for number in range(3):
        bus.publish(number)
    bus.close()
    assert [item async for item in first] == [item async for item in second] == [0, 1, 2]


async def test_a_slow_subscriber_loses_the_oldest_and_nobody_else_does():
    bus: Bus[int] = Bus()
    slow, quick = bus.subscribe(capacity=2), bus.subscribe(capacity=10)
    for number in range(5):
        bus.publish(number)
    bus.close()
    assert [item async for item in slow] == [3, 4]
    assert slow.dropped == 3
    assert [item async for item in quick] == [0, 1, 2, 3, 4]


async def test_a_waiting_subscriber_wakes():
    bus: Bus[str] = Bus()
    subscription = bus.subscribe()
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    bus.publish("news")
    assert await waiting == "news"


async def test_a_closed_subscription_ends_and_takes_no_more():
    bus: Bus[int] = Bus()
    subscription = bus.subscribe()
    bus.publish(1)
    subscription.close()
    bus.publish(2)
    assert [item async for item in subscription] == [1]


async def test_subscribing_to_a_closed_bus_ends_at_once():
    bus: Bus[int] = Bus()
    bus.close()
    assert [item async for item in bus.subscribe()] == []
