"""Anomaly detection in spectral and remote-sensing data with a variational autoencoder."""

__version__ = "0.1.0"
