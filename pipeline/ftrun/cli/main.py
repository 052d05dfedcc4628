"""The table of commands, loaded only when one is called, and the exit codes that errors lead to."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import NoSuchCommand

import ftrun
from ftrun.cli.help_text import LocalizedHelp
from ftrun.cli.interrupts import heed_signals
from ftrun.cli.output import report_failure
from ftrun.errors import InterruptError, UsageError
from ftrun.language import ENGLISH, localized, screen_language
from ftrun.redaction import safe_output

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# name -> one line of help. The module ftrun.cli.<name> holds a click.Command called `command`.
COMMANDS = {
    "run": "Plan, confirm the cost, apply. `ftrun CONFIG` does the same.",
    "eval": "Ask and score again what changed: was fine-tuning worth it? `--before`: would it be?",
    "report": "Print the verdict and write the report from the results so far. Asks no model.",
    "plan": "Show what would run, be skipped, adopted or waited for, and why. Changes nothing.",
    "check": "Check the data: errors with file:line, tokens, splits, cost. Needs no target.",
    "data": "Show examples as the model will see them, or what changed since the last run.",
    "status": "Show the progress of an experiment.",
    "events": "Show the events of the experiment's job.",
    "metrics": "Show the losses of the experiment's job, also while it runs, and its scores.",
    "import": "Turn jobs of a provider into experiments with their data, for git.",
    "rescue": "Record what tuned models answer while they still do, for every later evaluation.",
    "port": "Train an experiment on another target, and compare with the old model's answers.",
    "adopt": "Adopt an existing job as this experiment's job, instead of paying for a new one.",
    "state": "Show, verify or repair what ftrun remembers of an experiment on a target.",
    "wait": "Wait until the experiment's job ends.",
    "cancel": "Cancel the experiment's job.",
    "pause": "Pause the experiment's job, if the server supports it.",
    "resume": "Resume a paused job.",
    "ls": "List files, jobs or models at a target, and which experiment they belong to.",
    "rm": "Delete a file or a tuned model at a target.",
    "gc": "Delete uploaded files that no experiment of this project uses any longer.",
    "history": "List every model of an experiment with its settings, cost and scores.",
    "compare": "Compare trained models of experiments, targets, or one experiment's history.",
    "ledger": "List what cost money, estimated and actual, by experiment and month.",
    "augment": "Ask a model for more training rows; none is used until you approve it.",
    "review": "Approve or reject proposed rows, in the browser or with --approve and --reject.",
    "chat": "Talk to the tuned model and other candidates, with the experiment's system prompt.",
    "export": "Write the tuned model for PEFT, Transformers, vLLM, llama.cpp or Ollama.",
    "init": "Write a new experiment for a data file.",
    "models": "List the models that can be fine-tuned on this machine.",
    "serve": "Run the engine: a fine-tuning server on this machine that speaks OpenAI's API.",
    "schema": "Print the JSON Schema of the experiment file.",
    "explain": "Explain the code of a finding, an error or an exit: what it means, and the fix.",
    "doctor": "Check this machine and say how to fix what is wrong.",
}


class Commands(click.Group):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command; None if there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"ftrun.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands, with their help, and the experiments that begin like this."""
        from click.shell_completion import CompletionItem

        from ftrun.cli.completion import config_items

        options = click.Command.shell_complete(self, ctx, incomplete)
        found = [
            CompletionItem(name, help=words)
            for name, words in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *config_items(incomplete), *options]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take a first argument that looks like a file, and is not a command, as the CONFIG of `run`."""
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing:  # which is for completion: no error then
            if name == "help":
                return None, _help_of(ctx, args[1:]), []
            if name.endswith((".yaml", ".yml")) or "/" in name or Path(name).is_file():
                _refuse_late_command(ctx, args)
                return "run", self.get_command(ctx, "run"), args
            if not name.startswith("-"):
                raise NoSuchCommand(name, ctx=ctx)
        if ctx.resilient_parsing and name.endswith((".yaml", ".yml")):
            return "run", self.get_command(ctx, "run"), args
        return super().resolve_command(ctx, args)


def _help_of(ctx: click.Context, words: list[str]) -> click.Command:
    """Return a command that prints the help of the command that `words` name, or of ftrun."""

    def show() -> None:
        shown: click.Command = ctx.command
        context = ctx
        for word in words:
            found = shown.get_command(context, word) if isinstance(shown, click.Group) else None
            if found is None:
                raise NoSuchCommand(word, ctx=context)
            shown, context = found, click.Context(found, info_name=word, parent=context)
        click.echo(shown.get_help(context))

    return click.Command("help", callback=show)


def _refuse_late_command(ctx: click.Context, args: list[str]) -> None:
    """Say how to write it if a command comes after its experiment file."""
    late = next((word for word in args[1:2] if word in COMMANDS), None)
    if late is not None:
        import shlex

        line = shlex.join([late, args[0], *args[2:]])
        raise UsageError("the command comes before the experiment file", code="usage", hint=f"ftrun {line}")


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 a stage or job failed, 2 usage, config or data error, 3 a bug in ftrun, "
    "4 a decision is needed, 5 a gate was missed, 75 pending, 130 interrupted.",
)
@click.version_option(ftrun.__version__, prog_name="ftrun")
def commands() -> None:
    """Fine-tune a chat model from one YAML file: ftrun configs/hiroyuki.yaml.

    Running it again skips completed work, so that nothing is uploaded or paid for twice.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with a documented code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed()
    click.Context.formatter_class = LocalizedHelp
    english = "--json" in words or screen_language() == ENGLISH  # what programs read stays English
    with safe_output(None if english else localized):
        try:
            code = _code_of(words)
        except OSError:  # while a failure was printed: the reader has gone, or the disk is full
            code = 1
        except KeyboardInterrupt:  # while a failure was printed
            code = InterruptError.exit_code
    _forget_interrupt()
    sys.exit(code if _flush() else code or 1)


def _open_closed() -> None:
    """Point closed standard streams to the null device, so that no file we open takes their place."""
    for name, how in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = Path(os.devnull).open(how, encoding="utf-8")  # noqa: SIM115 - for the process's life
            setattr(sys, name, null)


def _code_of(words: list[str]) -> int:
    try:
        heed_signals()  # in every command: what it started, such as a query, must end with it
        code = commands.main(args=words, prog_name="ftrun", standalone_mode=False)
    except BaseException as error:
        return report_failure(error, words)
    return code if isinstance(code, int) else 0


def _forget_interrupt() -> None:
    """Make CPython exit with our code after an interrupt that was handled.

    An interrupt during `exec`, which each dataclass calls once, is remembered as unhandled: under `python -m`
    the process would then die of SIGINT instead of exiting with its code. Another `exec` clears that.
    """
    exec("")  # noqa: S102


def _flush() -> bool:
    """Flush stdout and stderr; return whether everything was written.

    If the reader has gone or the disk is full, Python must not try again at exit: it would exit with 120.
    """
    written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            written = False
            if not isinstance(error, BrokenPipeError):
                report_failure(error, ())
    return written
