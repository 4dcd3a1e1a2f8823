"""The provider: the algorithms, and the setting that names the Python that has specvae."""

import json
from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithms import ALGORITHMS, PYTHON_SETTING

HERE = Path(__file__).parent


class SpecvaeProvider(QgsProcessingProvider):
    """The group ``specvae`` of the Processing toolbox."""

    def id(self):
        return "specvae"

    def name(self):
        return "specvae"

    def icon(self):
        return QIcon(str(HERE / "icon.svg"))

    def load(self):
        about = "Python that has specvae (empty: SPECVAE_PYTHON, else the command specvae)"
        ProcessingConfig.addSetting(Setting("specvae", PYTHON_SETTING, about, "", valuetype=Setting.FILE))
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self):
        ProcessingConfig.removeSetting(PYTHON_SETTING)

    def loadAlgorithms(self):
        # Written by `make qgis-plugin` from the options of the package itself, so that both have the same.
        declared = json.loads((HERE / "options.json").read_text(encoding="utf-8"))
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm(declared))
