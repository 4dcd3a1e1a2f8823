"""The declaration of a pipeline: its TOML, checked in full."""
