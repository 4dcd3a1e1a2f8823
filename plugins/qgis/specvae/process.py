"""The process of the command: progress from its log, cancelled by a signal, its error as the algorithm's."""

import json
import os
import signal
import subprocess
import threading

from qgis.core import QgsProcessingException

CANCEL_SECONDS = 15
"""Time for a cancelled command to remove what it was writing."""


def run(program, words, feedback):
    """Run a command and return what it printed. Raises QgsProcessingException where it fails or is cancelled."""
    command = [*program, "--log-format", "json", *words]
    feedback.pushCommandInfo(" ".join(command))
    # QGIS brings its own Python's paths, in which another Python finds the wrong packages.
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH", "GDAL_DATA", "PROJ_LIB")
    }
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, errors="replace"
        )
    except OSError as error:
        raise QgsProcessingException(
            f"{program[0]} cannot be started ({error.strerror}); name the Python that has specvae in the Processing options"
        ) from None
    errors = []
    reading = threading.Thread(target=_follow, args=(process.stderr, feedback, errors), daemon=True)
    reading.start()
    ending = threading.Thread(target=_cancel, args=(process, feedback), daemon=True)
    ending.start()
    printed = process.stdout.read()
    status = process.wait()
    reading.join()
    feedback.pushInfo(printed.strip())
    if feedback.isCanceled():
        raise QgsProcessingException("cancelled; nothing half-written was left")
    if status not in (0, 5):
        raise QgsProcessingException("; ".join(errors) or f"specvae ended with status {status}")
    return printed.strip()


def _follow(stream, feedback, errors):
    """Pass events of the log on: shares to the bar, warnings and errors to the log of the algorithm."""
    for line in stream:
        try:
            event = json.loads(line)
        except ValueError:
            feedback.pushInfo(line.rstrip())
            continue
        message, level = event.get("message", ""), event.get("level")
        if "share" in event:
            feedback.setProgress(100 * event["share"])
        elif level == "error":
            errors.append(message)
            feedback.reportError(message)
        elif level == "warning":
            feedback.pushWarning(message)
        else:
            feedback.pushInfo(message)


def _cancel(process, feedback):
    """End the command when the algorithm is cancelled; SIGTERM lets it remove what it was writing."""
    while process.poll() is None:
        if feedback.isCanceled():
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(CANCEL_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            return
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
