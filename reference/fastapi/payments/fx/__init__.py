"""The FX provider: its protocol, and which of its rates are believed."""
