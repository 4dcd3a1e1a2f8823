"""A picture of a QGIS project with the results of a score: run by the Python of QGIS, ``qgis_picture.py FOLDER PICTURE``."""

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def main(folder: Path, picture: Path) -> None:
    """Load the layers as a user drags them in, each with the style that lies beside it, and draw them."""
    application = QgsApplication([], False)
    application.initQgis()
    layers = [
        QgsVectorLayer(str(folder / "objects.gpkg"), "objects", "ogr"),
        QgsRasterLayer(str(folder / "score.tif"), "score"),
    ]
    for layer in layers:
        assert layer.isValid(), layer.source()
        layer.loadDefaultStyle()
        QgsProject.instance().addMapLayer(layer)
        print(layer.name(), type(layer.renderer()).__name__)
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[1].crs())
    settings.setExtent(layers[1].extent())
    settings.setOutputSize(QSize(1280, 1024))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(picture))
    application.exitQgis()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
