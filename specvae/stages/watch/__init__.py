"""The stage ``watch``: the scored dates of one place in, alerts over nights out."""
