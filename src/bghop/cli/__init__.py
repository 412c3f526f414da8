"""The command line: `bghop VERB ...`. Each verb is a file with a dataclass of arguments and `run`.

Nothing heavy is imported before a verb runs, so that help is instant. Errors that a user can mend
are one line on stderr and exit code 2, without a traceback; an interrupt is exit code 130.
"""

import contextlib
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated

from bghop.errors import BghopError
from bghop.version import __version__

_VERBS = {
    "grasp", "sample", "complete", "evaluate", "import-checkpoint", "train", "data", "doctor",
}  # fmt: skip
_DESCRIPTION = "Two human hands and one object: grasps for any mesh, with numbers and pictures."


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code (0 done, 2 cannot be done, 130 interrupted)."""
    args = list(sys.argv[1:] if args is None else args)
    try:
        if args and args[0] in {"--version", "-V"}:
            print(f"bghop {__version__}")
            return 0
        verb = _parse(args or ["--help"])
        return verb if isinstance(verb, int) else verb.run()
    except KeyboardInterrupt:
        _say("bghop: interrupted; finished objects are kept, the same command continues")
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is left to say, not at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (BghopError, OSError, MemoryError) as error:
        return _fail(_in_words(error))


def _in_words(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "out of memory: use a smaller --num or a simpler mesh"
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        words = (error.strerror or type(error).__name__).lower()
        return f"cannot use{where} ({words}): check free space and permissions"
    return str(error)


def _parse(args: list[str]):  # noqa: ANN202  (a verb, or an exit code)
    import tyro

    from bghop.cli.complete import Complete
    from bghop.cli.data import Data
    from bghop.cli.doctor import Doctor
    from bghop.cli.evaluate import Evaluate
    from bghop.cli.grasp import Grasp
    from bghop.cli.import_checkpoint import ImportCheckpoint
    from bghop.cli.sample import Sample
    from bghop.cli.train import Train

    verbs = (
        Annotated[Grasp, tyro.conf.subcommand("grasp", prefix_name=False)]
        | Annotated[Sample, tyro.conf.subcommand("sample", prefix_name=False)]
        | Annotated[Complete, tyro.conf.subcommand("complete", prefix_name=False)]
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate", prefix_name=False)]
        | Annotated[ImportCheckpoint, tyro.conf.subcommand("import-checkpoint", prefix_name=False)]
        | Annotated[Train, tyro.conf.subcommand("train", prefix_name=False)]
        | Annotated[Data, tyro.conf.subcommand("data", prefix_name=False)]
        | Annotated[Doctor, tyro.conf.subcommand("doctor", prefix_name=False)]
    )
    spoken = io.StringIO()
    try:
        with contextlib.redirect_stderr(spoken):
            return tyro.cli(
                verbs,  # pyright: ignore[reportArgumentType]
                prog="bghop",
                description=_DESCRIPTION,
                args=args,
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
            )
    except SystemExit as end:
        if not end.code:
            return 0
        known = args[0] if args and args[0] in _VERBS else ""
        help_line = " ".join(["bghop", known, "--help"]).replace("  ", " ")
        return _fail(f"{_flatten(spoken.getvalue())}: see `{help_line}`")


def _flatten(text: str) -> str:
    """The message inside the frames that tyro draws, on one line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [re.sub(r"^[│|]\s?|\s*[│|]$", "", line).strip() for line in text.splitlines()]
    said = []
    for line in lines:
        if not line or line[0] in "╭╰─":
            continue
        if line.startswith(("For full helptext", "────")):
            break
        said.append(line)
    return re.sub(r"[.]? Argument helptext:.*|[.]$", "", " ".join(said))


def _fail(message: str) -> int:
    _say(f"bghop: error: {' '.join(message.split())}")
    return 2


def _say(line: str) -> None:
    print(line, file=sys.stderr)
