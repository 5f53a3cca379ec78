"""Which requests are looked at, and how often one source may ask."""
