"""A door that lets any number of calls in from one address: what callers of a benchmark share, unlike those of real life."""

from __future__ import annotations

from voip_engine.network_settings import AdmissionSettings

OPEN_DOOR = AdmissionSettings(calls_per_second=10_000, calls_burst=10_000, ringing_calls=10_000)
