"""Everything that is written: whole or not at all."""
