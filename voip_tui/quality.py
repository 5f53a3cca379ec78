"""How good a line is, estimated from what is measured on it.

A simplified E-model: ITU-T G.107 (06/2015) with every parameter but delay and loss at its default, the delay impairment
in the two-line form of Cole and Rosenbluth (2001), equipment impairment by ITU-T G.113 Appendix I for codecs with loss
concealment. G.113 has no narrowband-scale figures for G.722 and Opus; they are rated like G.711 with concealment, so
the estimate says what the network costs, not how wide the codec's band is.
"""

from __future__ import annotations

from dataclasses import dataclass

from voip_engine.snapshots import CodecSnapshot, MediaSnapshot

BEST_RATING = 93.2
"""R of a connection with all defaults (G.107 §7.7)."""
LOSS_ROBUSTNESS = 25.1
"""Bpl of G.711 with concealment, random loss (G.113 Table I.4)."""


@dataclass(frozen=True, slots=True)
class LineQuality:
    """`rating` is the E-model's R from 0 to 100, `mos` the opinion score it stands for, `word` its class in G.109."""

    rating: float
    mos: float
    word: str


def line_quality(media: MediaSnapshot, codec: CodecSnapshot) -> LineQuality:
    """Estimate what a listener on this call would say of it."""
    one_way_ms = (media.round_trip_ms or 0.0) / 2 + media.buffer_ms + codec.packet_ms
    loss = max(media.loss_percent, media.remote_loss_percent or 0.0)
    delay_cost = 0.024 * one_way_ms + 0.11 * max(0.0, one_way_ms - 177.3)
    loss_cost = 95.0 * loss / (loss + LOSS_ROBUSTNESS)
    rating = min(100.0, max(0.0, BEST_RATING - delay_cost - loss_cost))
    return LineQuality(rating, opinion_score(rating), category(rating))


def opinion_score(rating: float) -> float:
    """The mean opinion score for R (G.107 Annex B)."""
    if rating <= 0:
        return 1.0
    return min(4.5, max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6))


def category(rating: float) -> str:
    """The class of speech transmission quality (G.109 Table 1)."""
    for floor, word in ((90, "best"), (80, "high"), (70, "medium"), (60, "low")):
        if rating >= floor:
            return word
    return "poor"
