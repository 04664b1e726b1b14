"""The command line: its commands, and how their errors end. Data goes to stdout, all else to stderr."""

import os
import sys
import traceback
from typing import Any

import click

from pipeline import __version__
from pipeline.commands.compare import compare
from pipeline.commands.endings import exit_code_of
from pipeline.commands.hints import meant_equals, meant_setting, missing_job, unknown_command
from pipeline.commands.init import init, schema
from pipeline.commands.palette import palette
from pipeline.commands.plan import explain, plan, status
from pipeline.commands.reading import complain
from pipeline.commands.report import report
from pipeline.commands.run import run
from pipeline.commands.trees import merge, prune, verify
from pipeline.errors import ExitCode, SegpipeError

_WORDS = "segpipe.words"  # of the command line, in the context's meta


class _Commands(click.Group):
    """Commands whose errors end in the documented exit codes."""

    def _main_shell_completion(self, *arguments: Any) -> None:
        """Complete what is typed, if that is asked for; whatever happens, no traceback disturbs the line."""
        if not os.environ.get("_SEGPIPE_COMPLETE"):
            return
        from pipeline.commands.shells import register

        try:
            register()
            super()._main_shell_completion(*arguments)
        except Exception:
            sys.exit(1)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; who gave none is told what may have been meant."""
        name = args[0]
        ctx.meta[_WORDS] = args
        if not (ctx.resilient_parsing or name.startswith("-") or self.get_command(ctx, name)):
            ctx.fail(unknown_command(name, self.commands))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.MissingParameter as error:
            if error.param is None or error.param.name != "job" or error.ctx is None:
                raise
            raise click.UsageError(missing_job(str(error.ctx.info_name)), error.ctx) from None
        except click.UsageError as error:
            meant = _meant(error, ctx.meta.get(_WORDS, []))
            if not meant:
                raise
            raise click.UsageError(meant, error.ctx) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except SegpipeError as error:
            complain(error)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("segpipe: interrupted; what was finished is kept", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except Exception as error:
            code = exit_code_of(error)
            if code is ExitCode.OUTPUT_UNWRITABLE:
                told = error.strerror if isinstance(error, OSError) else error
                complain(f"the output could not be written: {told}")
            else:
                traceback.print_exc()
                click.echo(f"segpipe {__version__}: a bug; please report it with the lines above", err=True)
            ctx.exit(code)


def _meant(error: click.UsageError, words: list[str]) -> str:
    """What was most likely meant by a wrong option of a command that takes `--set`; else nothing."""
    if error.ctx is None or all(param.name != "overrides" for param in error.ctx.command.params):
        return ""
    if isinstance(error, click.NoSuchOption):
        return meant_setting(error.option_name, words)
    return meant_equals(words)


_CODES = "\b\nExit codes → what to do:\n" + "\n".join(
    f"{code:>5}  {code.meaning.replace('`', '')} → {code.then}" for code in ExitCode
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_CODES)
@click.version_option(__version__, prog_name="segpipe")
def main() -> None:
    """Quantize and segment folders of images by colour."""


for _command in (
    compare, explain, init, merge, palette, plan, prune, report, run, schema, status, verify,
):  # fmt: skip
    main.add_command(_command)


if __name__ == "__main__":
    main()
