"""Sockets, connections and look-ups: the only part of SIP that waits."""
