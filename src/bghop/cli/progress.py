"""What a job's progress looks like on stderr: a bar on a terminal, plain lines elsewhere."""

import sys
from typing import Any

from bghop.jobs.grasp import Listener, ObjectResult


class Talker(Listener):
    """Shows stages as they go; silent if `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._stage = ("", "")
        self._bar: Any = None

    def stage(self, name: str, stage: str, done: int, total: int) -> None:
        """Moves the bar of a stage, or says once that the stage has begun."""
        if self._quiet:
            return
        if (name, stage) != self._stage:
            self.close()
            self._stage = (name, stage)
            if sys.stderr.isatty():
                from tqdm import tqdm

                form = "{desc} {bar:24} {n_fmt}/{total_fmt} {elapsed}"
                self._bar = tqdm(total=total, desc=f"{name}: {stage}", leave=False, bar_format=form)
            elif stage != "loading":  # so that a bad file is one line, not two
                print(f"{name}: {stage}", file=sys.stderr, flush=True)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def finished(self, result: ObjectResult, index: int, total: int) -> None:
        """One line for every object of a batch; the table at the end tells about a single one."""
        self.close()
        if self._quiet:
            return
        count = f"[{index + 1}/{total}] " if total > 1 else ""
        if result.state == "failed":
            line = f"{count}{result.name}: failed: {result.problem}"
        elif result.state == "kept":
            line = f"{count}{result.name}: finished before, kept (--overwrite computes it again)"
        else:
            hold = ""
            if result.hold is not None:
                hold = f", {sum(record.success for record in result.hold)} hold,"
            num = len(result.metrics)
            nouns = result.kind.nouns
            line = f"{count}{result.name}: {num} {nouns}{hold} in {result.seconds:.1f} s"
        print(line, file=sys.stderr, flush=True)
        for warning in result.warnings:
            print(f"{result.name}: warning: {warning}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Takes the bar off the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._stage = ("", "")
