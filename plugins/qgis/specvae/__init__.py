"""A Processing provider for QGIS that runs the command ``specvae``."""


def classFactory(iface):
    """What QGIS calls to load the plugin; ``iface`` is None where there is no window, as for ``qgis_process``."""
    from .plugin import SpecvaePlugin

    return SpecvaePlugin()
