"""Contact sheets and strips from a process of their own: `python -m bghop.drawing.worker`.

Two reasons. Opening a window and importing VTK take two seconds, which pass while the grasps are
still being computed; and a broken OpenGL driver ends a process without asking: it must not end the
one that holds the results.

Protocol: on stdin a pickled request with its length (8 bytes, little endian) before it, on stdout
the PNG, or one line that says what went wrong, in the same form. The process ends with its stdin.
"""

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from typing import IO

from bghop.drawing.contact_sheet import COLUMNS, Cell, Painter, draw_contact_sheet
from bghop.drawing.progress_strip import draw_progress_strip
from bghop.drawing.render import Renderer
from bghop.drawing.scene import Scene
from bghop.drawing.software import SoftwareRenderer
from bghop.drawing.strip import draw_strip
from bghop.errors import DrawingError

_PNG = b"\x89PNG"


class SheetWorker:
    """The other process, started at once and used for any number of pictures.

    Where OpenGL does not work a second process takes over that draws without it.
    """

    def __init__(self) -> None:
        """Starts the process; it warms up while the caller goes on."""
        self.note = ""
        """Why pictures are plainer than they could be; empty if they are not."""
        self._process = _start()
        self._asked = b""

    def request(
        self, cells: list[Cell], *, title: str, subtitle: str, columns: int = COLUMNS
    ) -> None:
        """Asks for a sheet; the drawing goes on beside the caller's work."""
        self._request("sheet", cells, title, subtitle, columns)

    def request_strip(self, frames: Sequence[Scene], captions: Sequence[str]) -> None:
        """Asks for a strip; see `draw_strip`."""
        self._request("strip", list(frames), list(captions))

    def request_progress(self, rows: Sequence[Sequence[Scene]], captions: Sequence[str]) -> None:
        """Asks for moments of several candidates; see `draw_progress_strip`."""
        self._request("progress", [list(row) for row in rows], list(captions))

    def _request(self, kind: str, *arguments: object) -> None:
        self._asked = pickle.dumps((kind, arguments))
        _ask(self._process, self._asked)

    def answer(self) -> bytes:
        """What was asked for last, as a PNG file.

        Raises:
            DrawingError: Pictures cannot be drawn on this machine.
        """
        content = _answer(self._process)
        if not content.startswith(_PNG) and not self.note:
            self.note = (
                f"pictures are drawn without OpenGL, plainer and slower ({_words(content)}): "
                "install libegl1 or mesa-libEGL"
            )
            self.close()
            self._process = _start("--software")
            _ask(self._process, self._asked)
            content = _answer(self._process)
        if not content.startswith(_PNG):
            msg = f"cannot draw pictures ({_words(content)}): see `bghop doctor`"
            raise DrawingError(msg)
        return content

    def close(self) -> None:
        """Ends the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bghop.drawing.worker", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _ask(process: subprocess.Popen[bytes], request: bytes) -> None:
    # A process that has ended is noticed when its answer is read.
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            _send(process.stdin, request)


def _answer(process: subprocess.Popen[bytes]) -> bytes:
    """A PNG file, or a line of text that says why there is none, or nothing."""
    try:
        return b"" if process.stdout is None else _receive(process.stdout)
    except (OSError, EOFError):
        return b""


def _words(content: bytes) -> str:
    return content.decode(errors="replace") or "the drawing process ended"


def _send(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(len(content).to_bytes(8, "little") + content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes:
    header = pipe.read(8)
    content = pipe.read(int.from_bytes(header, "little"))
    if len(header) < 8 or len(content) < int.from_bytes(header, "little"):
        raise EOFError
    return content


def _serve(*, software: bool) -> None:
    """The loop of the other process. Its input comes from its parent only, hence pickle."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print must not land among the answers
    renderer: Renderer | SoftwareRenderer | None = None
    problem = ""
    try:
        renderer = SoftwareRenderer() if software else Renderer()
    except Exception as error:
        problem = _one_line(error)
    while True:
        try:
            kind, arguments = pickle.loads(_receive(requests))  # noqa: S301
        except EOFError:
            break
        if renderer is None:
            _send(answers, problem.encode())
            continue
        try:
            _send(answers, _PICTURES[kind](renderer, *arguments))
        except Exception as error:
            _send(answers, _one_line(error).encode())
    if renderer is not None:
        renderer.close()


def _sheet(painter: Painter, cells: list[Cell], title: str, subtitle: str, columns: int) -> bytes:
    png = BytesIO()
    sheet = draw_contact_sheet(painter, cells, title=title, subtitle=subtitle, columns=columns)
    sheet.save(png, "PNG", compress_level=4)
    return png.getvalue()


_PICTURES = {"sheet": _sheet, "strip": draw_strip, "progress": draw_progress_strip}


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


if __name__ == "__main__":
    _serve(software="--software" in sys.argv)
