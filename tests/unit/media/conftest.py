"""A media loop that is ticked by hand, and peers of its legs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.media_peer import Loop, Peer


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.media.close_all()


@pytest.fixture
def peers(loop: Loop) -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(leg_id: int = 1, **options: Any) -> Peer:
        made.append(Peer(loop, leg_id, **options))
        return made[-1]

    yield make
    for peer in made:
        peer.close()
