"""A synthetic place over years: seasons, light, clouds and jitter, roofs that are always odd, and what is planted."""
