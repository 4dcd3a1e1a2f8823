"""The command ``specvae``: a group whose commands are imported when they are called, and what errors become."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from typing import Any

import click

from specvae.errors import SpecvaeError, one_line
from specvae.version import __version__

__all__ = ["cli", "main"]

COMMANDS = {
    "fit": "Learn what is normal from rasters or tables and write one model file.",
    "score": "Score scenes or tables against a model and write maps and reports.",
    "calibrate": "Give a model new thresholds from other normal data, without refitting.",
    "run": "Run a scheduled batch declared in a TOML file.",
    "inspect": "Tell what a model is, or how a scene will be read.",
    "sample": "Draw spectra or images from a model.",
    "interpolate": "Draw the path between two spectra or images.",
    "encode": "Write latent means of a scene, a table or images.",
    "reconstruct": "Write reconstructions and residuals with the compression ratio against the error.",
    "export": "Export the scorer to ONNX.",
    "benchmark": "Run a benchmark and write its report.",
    "demo": "Make a small scene with planted anomalies, fit, score, and say where to look.",
}
"""Every command and its line in the help, so that the help imports none of them."""


class LazyGroup(click.Group):
    """Imports ``specvae.cli.<name>`` when its command is called."""

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
    return os.path.exists(os.path.join(os.path.dirname(__file__), f"{name}.py"))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="specvae")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Of stderr.")
@click.pass_context
def cli(ctx: click.Context, debug: bool, log_format: str) -> None:
    """Anomaly detection in spectral and remote-sensing data.

    \b
    specvae fit normal.tif          learn what is normal
    specvae score scene.tif         say where a scene is not

    Exit status: 0 done; 1 a bug; 2 wrong usage; 3 some inputs failed; 4 the input or model cannot be used;
    5 done, but --strict found a do-not-use or an unsupported rate; 130, 143 interrupted.
    """
    ctx.obj = {"debug": debug, "log_format": log_format}


def main(args: list[str] | None = None) -> None:
    """Entry point: exceptions become one line on stderr and an exit status."""
    argv = sys.argv[1:] if args is None else args
    debug = "--debug" in argv
    gc.set_threshold(100_000, 50, 100)  # a command makes few cycles and many lasting objects: looking costs a twentieth
    signal.signal(signal.SIGTERM, _terminated)
    try:
        sys.exit(_run(argv))
    except SpecvaeError as error:
        _fail(error, error.exit_status, debug)
    except KeyboardInterrupt:
        click.echo("specvae: interrupted; nothing half-written was left", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except MemoryError as error:
        _fail(f"out of memory: {error}; give a smaller --max-memory, or fewer --max-pixels", 4, debug)
    except OSError as error:
        _fail(error, 4, debug)
    except Exception as error:
        _fail(f"a bug: {type(error).__name__}: {error}; run again with --debug and report it", 1, debug)
    finally:
        gc.freeze()  # the interpreter looks through all that is left before it ends: half a second, for nothing


def _run(argv: list[str]) -> int:
    try:
        result: Any = cli.main(args=argv, prog_name="specvae", standalone_mode=False)
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see `{context.command_path} --help`" if context else ""
        click.echo(f"specvae: {one_line(error.format_message())}{hint}", err=True)
        return 2
    return result if isinstance(result, int) else 0


def _fail(error: object, status: int, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()
    click.echo(f"specvae: {one_line(error)}", err=True)
    sys.exit(status)


def _terminated(signum: int, frame: object) -> None:
    sys.exit(143)
