"""The command ``specvae``: a group whose commands are imported when they are called, and what errors become."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys

import click

from specvae.cli.invocation import PROGRAM, Invocation
from specvae.cli.standard_streams import Output, start_in_utf8
from specvae.errors import SpecvaeError, one_line
from specvae.pipeline.summary.events import Value
from specvae.version import __version__

__all__ = ["cli", "main"]

COMMANDS = {
    "fit": "Learn what is normal from rasters or tables and write one model file.",
    "score": "Score scenes or tables against a model and write maps and reports.",
    "calibrate": "Give a model new thresholds from other normal data, without refitting.",
    "watch": "Follow the scored dates of a place: alerts over nights, confirmed at a stated rate.",
    "run": "Run a scheduled batch declared in a TOML file.",
    "inspect": "Tell what a model is, or how a scene will be read.",
    "compare": "Compare two results or two models: equal, equal within a tolerance, or what differs.",
    "sample": "Draw spectra or images from a model.",
    "interpolate": "Draw the path between two spectra or images.",
    "encode": "Write latent means of a scene, a table or images.",
    "reconstruct": "Write reconstructions and residuals with the compression ratio against the error.",
    "export": "Export the scorer to ONNX.",
    "presets": "List the presets of fit, and what each is for.",
    "benchmark": "Run a benchmark and write its report.",
    "demo": "Make a small scene with planted anomalies, fit, score, and say where to look.",
}
"""Every command and its line in the help, so that the help imports none of them."""
PRINTING = frozenset(("inspect", "compare"))
"""Commands of which nothing is left but what they print."""


class LazyGroup(click.Group):
    """A group that imports ``specvae.cli.<name>`` when its command is called, so that each pays for itself alone."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if _there(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS or not _there(cmd_name):
            return None
        command: click.Command = importlib.import_module(f"specvae.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


def _there(name: str) -> bool:
    # A look at the file and not find_spec: that would import the package's parents once for every command.
    return os.path.exists(os.path.join(os.path.dirname(__file__), f"{name}.py"))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="specvae")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    expose_value=False,
    help="Say what goes to standard error as text or as JSON events.",
)
def cli() -> None:
    """Anomaly detection in spectral and remote-sensing data.

    \b
    specvae fit normal.tif          learn what is normal
    specvae score scene.tif         say where a scene is not

    Exit status: 0 done; 1 a bug; 2 wrong usage; 3 some inputs failed; 4 the input or model cannot be used;
    5 done, but --strict found a do-not-use or an unsupported rate; 130, 143 interrupted.
    """


def main(args: list[str] | None = None) -> None:
    """Entry point: exceptions become one line on stderr and an exit status."""
    if args is None:
        start_in_utf8()
    called = Invocation(tuple(sys.argv[1:] if args is None else args))
    # A command makes few cycles and many lasting objects, and looking for cycles costs a twentieth of its time.
    gc.set_threshold(100_000, 50, 100)
    # As an exception, SIGTERM runs the cleanup that Ctrl-C runs: unfinished folders go, locks are released.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        with called.library_messages():
            sys.exit(_with_output(called))
    # From the particular to the general: each status has one meaning, and 1 is for faults of the program alone.
    except SpecvaeError as error:
        _fail(called, error, error.exit_status)
    except KeyboardInterrupt:
        called.error("interrupted; nothing half-written was left", exit_status=130)
        sys.exit(130)
    except MemoryError as error:
        _fail(called, f"out of memory: {error}; give a smaller --max-memory, or fewer --max-pixels", 4)
    except OSError as error:
        _fail(called, error, 4)
    except Exception as error:
        _fail(called, f"a bug: {type(error).__name__}: {error}; run again with --debug and report it", 1)
    finally:
        # The interpreter looks through all living objects before it ends: half a second, for nothing.
        gc.freeze()


def _with_output(called: Invocation) -> int:
    """The command's exit status, whatever becomes of standard output.

    A reader that has seen enough (``| head``) is no fault. Where the output is lost and nothing else was made of it,
    the status is 4; a score whose folders are written is done.
    """
    if sys.stdout is None:  # the parent closed it: nobody wants to read
        return _run(called)
    with Output(sys.stdout) as output:
        status = _run(called)
        output.flush()
    if output.is_cut:
        called.error(f"standard output cannot be written: {output.failure}", exit_status=status or 4)
        prints_alone = "--json" in called.words or bool(PRINTING & {*called.words})
        return status or (4 if prints_alone else 0)
    return status


def _run(called: Invocation) -> int:
    try:
        # standalone_mode=False: click would print its own messages and exit, past the log's form and our statuses.
        result: object = cli.main(args=list(called.words), prog_name=PROGRAM, standalone_mode=False, obj=called)
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see `{context.command_path} --help`" if context else ""
        called.error(f"{one_line(error.format_message())}{hint}", exit_status=2)
        return 2
    return result if isinstance(result, int) else 0


def _fail(called: Invocation, error: object, status: int) -> None:
    """Say what failed, with ``--debug`` how it came to that, and end with an exit status."""
    details: dict[str, Value] = {"exit_status": status}
    if called.debug:
        import traceback

        if called.log_as_json:
            details["traceback"] = traceback.format_exc()
        else:
            traceback.print_exc()
    called.error(one_line(error), "error", **details)
    sys.exit(status)


def _terminated(signum: int, frame: object) -> None:
    sys.exit(128 + signal.SIGTERM)  # the shell's own status for a program that this signal ended
