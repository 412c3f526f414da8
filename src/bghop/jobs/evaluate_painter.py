"""Pictures one at a time from a process of its own, for the gallery and the strips of a report.

A broken OpenGL driver ends a process without asking; it must not end the one that holds a
benchmark. Where it does, the pictures come from the renderer without OpenGL.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from bghop.drawing.contact_sheet import Painter
from bghop.drawing.render import Renderer
from bghop.drawing.scene import Scene
from bghop.drawing.software import SoftwareRenderer
from bghop.drawing.views import View

SIZE = 320
"""Pixels of an edge."""
PATIENCE_S = 90.0
"""Seconds without an answer after which a driver counts as hung."""


class PictureProcess:
    """A `Painter`. Close it at the end, or use it with `with`."""

    def __init__(
        self,
        size: int = SIZE,
        *,
        make: Callable[[int], Painter] = Renderer,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Starts the process and waits until it can draw, or is known not to.

        Args:
            size: Edge of the pictures in pixels.
            make: Makes the painter in the other process; picklable.
            patience_s: How long to wait for it.
        """
        self.note = ""
        """Why pictures are plainer than they could be; empty if they are not."""
        self._software = SoftwareRenderer(size)
        self._patience_s = patience_s
        self._scene: Scene | None = None
        # Spawned, not forked: a forked copy of a process with threads may hang.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, size), daemon=True)
        self._works = True
        self._process.start()
        theirs.close()
        problem = self._answer()
        if problem != "":
            self._give_up(problem)

    def __enter__(self) -> "PictureProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def picture(self, scene: Scene, view: View) -> UInt8[np.ndarray, "size size 3"]:
        """One picture; a scene travels once for all its views."""
        if self._works:
            with contextlib.suppress(OSError):  # a process that has ended is noticed below
                self._pipe.send((None if scene is self._scene else scene, view))
            answer = self._answer()
            if isinstance(answer, np.ndarray):
                self._scene = scene
                return answer
            self._give_up(answer)
        return self._software.picture(scene, view)

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join(timeout=2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _answer(self) -> UInt8[np.ndarray, "size size 3"] | str:
        """A picture, or words that say why there is none (empty words: ready)."""
        try:
            if not self._pipe.poll(self._patience_s):
                return f"no answer within {self._patience_s:g} s"
            return self._pipe.recv()
        except (EOFError, OSError):
            return "the drawing process ended"

    def _give_up(self, problem: object) -> None:
        self._works = False
        self.note = (
            f"Pictures are drawn without OpenGL, plainer and slower ({problem}): install libegl1 "
            "or mesa-libEGL."
        )
        self._process.kill()


def _serve(pipe: Connection, make: Callable[[int], Painter], size: int) -> None:
    """The loop of the other process; it ends with its pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process decides what Ctrl-C means
    with Path(os.devnull).open("w") as nothing:  # libraries print; stdout belongs to the command
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    try:
        painter = make(size)
    except Exception as error:
        pipe.send(_one_line(error))
        return
    pipe.send("")
    scene: Scene | None = None
    while True:
        try:
            new, view = pipe.recv()
        except (EOFError, OSError):
            return
        scene = scene if new is None else new
        if scene is None:
            raise AssertionError("the first request must bring its scene")
        try:
            pipe.send(painter.picture(scene, view))
        except Exception as error:
            pipe.send(_one_line(error))


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
