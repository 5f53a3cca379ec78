"""All targets by name. A new parser of what strangers send gets one here."""

from __future__ import annotations

from .core_target import CORE_TARGETS
from .feature_targets import FEATURE_TARGETS
from .media_targets import MEDIA_TARGETS
from .registrar_target import REGISTRAR_TARGETS
from .sip_targets import SIP_TARGETS
from .target import Target

TARGETS: dict[str, Target] = {**SIP_TARGETS, **CORE_TARGETS, **REGISTRAR_TARGETS, **MEDIA_TARGETS, **FEATURE_TARGETS}
