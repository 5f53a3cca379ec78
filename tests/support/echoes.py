"""What a phone that hears itself is set to, and how well it must hear."""

from __future__ import annotations

BARESIP_CODECS = {"opus": "opus/48000/2", "G722": "g722/16000/1", "PCMA": "PCMA/8000/1", "PCMU": "PCMU/8000/1"}
"""Our name of a codec → baresip's."""

ENOUGH = {"opus": 0.8, "G722": 0.9, "PCMA": 0.9, "PCMU": 0.9}
"""The least correlation of an echo with what was said: 0.90 to 0.99 is usual, other speech reaches 0.13."""

PHONE_SECURITY = {"plain RTP": (), "SRTP": ("mediaenc=srtp-mand",)}
"""How audio is protected → baresip's account parameters for it."""
