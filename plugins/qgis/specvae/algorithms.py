"""The algorithms: parameters from the package's own options, a process that can be cancelled, layers with their styles."""

import os
from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputString,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from .process import run

PYTHON_SETTING = "SPECVAE_PYTHON"


class _Algorithm(QgsProcessingAlgorithm):
    """One command of specvae. Subclasses say what goes in besides its options, and what comes out."""

    command = ""
    title = ""
    about = ""
    hidden = ()
    """Options that the algorithm's own parameters take the place of."""
    inputs = "Scenes"

    def __init__(self, declared):
        super().__init__()
        self.declared = declared
        self.options = [o for o in declared[self.command] if o["name"] not in self.hidden]

    def name(self):
        return self.command

    def displayName(self):
        return self.title

    def shortHelpString(self):
        return self.about

    def createInstance(self):
        return type(self)(self.declared)

    def initAlgorithm(self, configuration=None):
        self.addParameter(
            QgsProcessingParameterMultipleLayers("SOURCES", self.inputs, QgsProcessing.TypeRaster, optional=True)
        )
        self.addParameter(
            QgsProcessingParameterString(
                "PATHS", "Or files, folders and globs, separated by |", optional=True, defaultValue=""
            )
        )
        self.own_parameters()
        for option in self.options:
            parameter = _parameter(option)
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputString("SAID", "What specvae said"))

    def own_parameters(self):
        """Add parameters besides the sources and the options."""

    def own_words(self, parameters, context):
        """Words of the command besides the sources and the options."""
        return []

    def results(self, parameters, context):
        """The outputs, once the command has ended."""
        return {}

    def processAlgorithm(self, parameters, context, feedback):
        layers = self.parameterAsLayerList(parameters, "SOURCES", context) or []
        paths = [layer.source() for layer in layers]
        paths += [path for path in self.parameterAsString(parameters, "PATHS", context).split("|") if path]
        if not paths:
            raise QgsProcessingException(f"{self.inputs}: none was given; choose layers, or name files")
        words = [self.command, *paths, *self.own_words(parameters, context)]
        for option in self.options:
            words += self._words_of(option, parameters, context)
        said = run(_program(), words, feedback)
        return {"SAID": said, **self.results(parameters, context)}

    def _words_of(self, option, parameters, context):
        """The words of one option; none where it has its default."""
        name = option["name"].upper()
        flag = f"--{option['name'].replace('_', '-')}"
        if parameters.get(name) is None:
            return []
        if option["type"] == "bool":
            return [flag] if self.parameterAsBool(parameters, name, context) else []
        if option["choices"] and not option["several"]:
            value = ["", *option["choices"]][self.parameterAsEnum(parameters, name, context)]
        else:
            value = self.parameterAsString(parameters, name, context)
        if value in ("", str(option["default"])):
            return []
        values = [v for v in value.split(",") if v] if option["several"] else [value]
        return [word for v in values for word in (flag, v)]


def _parameter(option):
    """The parameter of one option: its kind follows from the type of the field."""
    name, label = option["name"].upper(), option["help"]
    if option["type"] == "bool":
        return QgsProcessingParameterBoolean(name, label, defaultValue=bool(option["default"]), optional=True)
    if option["choices"] and not option["several"]:
        choices = ["(default)", *option["choices"]]
        return QgsProcessingParameterEnum(name, label, choices, defaultValue=0, optional=True)
    if option["path"]:
        return QgsProcessingParameterFile(name, label, optional=True)
    if option["type"] in ("int", "float") and not option["several"]:
        kind = QgsProcessingParameterNumber.Integer if option["type"] == "int" else QgsProcessingParameterNumber.Double
        parameter = QgsProcessingParameterNumber(name, label, kind, optional=True)
        if option["low"] is not None:
            parameter.setMinimum(option["low"])
        if option["high"] is not None:
            parameter.setMaximum(option["high"])
        return parameter
    return QgsProcessingParameterString(name, label, optional=True)


def _program():
    """The words that start specvae: by the Python of the settings or the environment, else the command itself."""
    python = ProcessingConfig.getSetting(PYTHON_SETTING) or os.environ.get(PYTHON_SETTING)
    return [python, "-m", "specvae"] if python else ["specvae"]


class Fit(_Algorithm):
    """``specvae fit``."""

    command = "fit"
    title = "Fit: learn what is normal"
    about = "Learns what normal ground looks like from scenes that are normal, and writes one model file."
    hidden = ("model",)
    inputs = "Normal scenes"

    def own_parameters(self):
        self.addParameter(QgsProcessingParameterFileDestination("MODEL", "Model", "specvae model (*.specvae)"))

    def own_words(self, parameters, context):
        return ["--model", self.parameterAsFileOutput(parameters, "MODEL", context)]

    def results(self, parameters, context):
        return {"MODEL": self.parameterAsFileOutput(parameters, "MODEL", context)}


class Calibrate(Fit):
    """``specvae calibrate``."""

    command = "calibrate"
    title = "Calibrate: new thresholds from other normal scenes"
    about = "Gives a model new thresholds from other normal scenes, without fitting it anew."
    hidden = ("model", "out")

    def own_parameters(self):
        self.addParameter(QgsProcessingParameterFile("FITTED", "Fitted model", extension="specvae"))
        super().own_parameters()

    def own_words(self, parameters, context):
        fitted = self.parameterAsFile(parameters, "FITTED", context)
        return ["--model", fitted, "--out", self.parameterAsFileOutput(parameters, "MODEL", context)]


class Score(_Algorithm):
    """``specvae score``."""

    command = "score"
    title = "Score: say where a scene is not normal"
    about = (
        "Scores scenes against a model. The map of scores, the map of anomalies and the anomalous objects of the first scene "
        "come as layers, with their styles; the report page lies beside them."
    )
    hidden = ("model", "out")

    def own_parameters(self):
        self.addParameter(QgsProcessingParameterFile("MODEL", "Model", extension="specvae"))
        self.addParameter(QgsProcessingParameterFolderDestination("OUT", "Folder of results"))
        self.addOutput(QgsProcessingOutputRasterLayer("SCORE", "Score"))
        self.addOutput(QgsProcessingOutputRasterLayer("ANOMALY", "Anomalies"))
        self.addOutput(QgsProcessingOutputVectorLayer("OBJECTS", "Objects"))

    def own_words(self, parameters, context):
        out = self.parameterAsString(parameters, "OUT", context)
        return ["--model", self.parameterAsFile(parameters, "MODEL", context), "--out", out]

    def results(self, parameters, context):
        folder = Path(self.parameterAsString(parameters, "OUT", context))
        # The newest item is that of the last scene that was scored now, or stood there already.
        done = sorted(folder.rglob("item.json"), key=lambda path: path.stat().st_mtime)
        if not done:
            return {}
        names = {"SCORE": "score.tif", "ANOMALY": "anomaly.tif", "OBJECTS": "objects.gpkg"}
        return _layers(done[-1].parent, names, context)


class Watch(_Algorithm):
    """``specvae watch``."""

    command = "watch"
    title = "Watch: alerts over nights"
    about = "Follows the scored dates of one place: alerts from first sight to confirmed to closed, with a stated rate."
    hidden = ("out",)
    inputs = "(not used)"

    def own_parameters(self):
        self.removeParameter("SOURCES")
        self.addParameter(QgsProcessingParameterFolderDestination("OUT", "Folder of alerts"))
        self.addOutput(QgsProcessingOutputRasterLayer("STATUS", "Status"))
        self.addOutput(QgsProcessingOutputVectorLayer("ALERTS", "Alerts"))

    def own_words(self, parameters, context):
        return ["--out", self.parameterAsString(parameters, "OUT", context)]

    def results(self, parameters, context):
        folder = Path(self.parameterAsString(parameters, "OUT", context))
        return _layers(folder, {"STATUS": "status.tif", "ALERTS": "alerts.gpkg"}, context)


class Inspect(_Algorithm):
    """``specvae inspect``."""

    command = "inspect"
    title = "Inspect: what a model is, how a scene is read"
    about = "Says what a model is, or how a scene will be read. Give one layer, or one file."
    inputs = "Scene"


def _layers(folder, names, context):
    """Paths of the layers that there are; each is loaded when the algorithm ends. QGIS takes up the style beside it."""
    found = {}
    for output, name in names.items():
        path = folder / name
        if path.is_file():
            found[output] = str(path)
            details = QgsProcessingContext.LayerDetails(f"{folder.name}: {path.stem}", context.project(), output)
            context.addLayerToLoadOnCompletion(str(path), details)
    return found


ALGORITHMS = (Fit, Score, Calibrate, Watch, Inspect)
