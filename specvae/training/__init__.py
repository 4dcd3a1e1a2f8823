"""Fit: what is sampled, the closed form, the descent, and what is held out."""
