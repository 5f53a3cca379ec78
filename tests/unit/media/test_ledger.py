"""What is known of legs and playouts when the process that has them is lost."""

from __future__ import annotations

from voip_engine.media.ledger import Ledger
from voip_engine.media.protocol import LegMoved, LegOpened, OpenLeg, Play, PlayoutEnded, PlayoutProgress, RtpStart
from voip_engine.sdp.plan import HostPort


def test_lost_playouts_end_where_they_were_known_to_be():
    ledger = Ledger()
    ledger.command(OpenLeg(1, HostPort("127.0.0.1", 0), RtpStart(1, 1, 1)), now=0.0)
    for playout_id in (3, 4, 5):
        ledger.command(Play(1, playout_id, b"", rate_hz=8000, progress=True), now=0.0)
    for heard_samples in (160, 960):
        ledger.report(PlayoutProgress(1, 4, heard_samples, 8000, 1.0), now=1.0)
    ledger.command(Play(1, 4, b"", rate_hz=8000, progress=True), now=0.0)
    ledger.report(PlayoutEnded(1, 3, 800, True, 8000), now=1.0)
    ledger.report(PlayoutProgress(1, 3, 800, 8000, 1.0), now=1.0)
    ledger.report(PlayoutProgress(2, 4, 800, 8000, 1.0), now=1.0)
    assert ledger.lost_playouts() == [PlayoutEnded(1, 4, 960, False, 8000), PlayoutEnded(1, 5, 0, False, 8000)]
    assert ledger.lost_playouts() == []


def test_a_leg_that_was_moved_is_opened_again_where_it_moved_to():
    ledger = Ledger()
    ledger.command(OpenLeg(1, HostPort("192.0.2.1", 0), RtpStart(1, 1, 1)), now=0.0)
    ledger.report(LegOpened(1, HostPort("192.0.2.1", 4000)), now=0.0)
    ledger.report(LegMoved(1, HostPort("192.0.2.2", 5000)), now=1.0)
    ledger.report(LegMoved(1, None, "It could not be bound."), now=2.0)
    [opened] = ledger.reopening(now=3.0)
    assert opened == OpenLeg(1, HostPort("192.0.2.2", 5000), RtpStart(1, 1, 1))
