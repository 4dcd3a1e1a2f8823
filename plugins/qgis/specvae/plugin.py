"""The plugin: it registers the provider, and takes it away again."""

from qgis.core import QgsApplication

from .provider import SpecvaeProvider


class SpecvaePlugin:
    """The plugin as QGIS knows it."""

    def __init__(self):
        self.provider = None

    def initProcessing(self):
        """Register the provider; ``qgis_process`` calls this alone."""
        self.provider = SpecvaeProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        """Register the provider where there is a window."""
        self.initProcessing()

    def unload(self):
        """Take the provider away."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
