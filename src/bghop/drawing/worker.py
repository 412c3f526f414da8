"""Contact sheets from a process of their own: `python -m bghop.drawing.worker`.

Two reasons. Opening a window and importing VTK take two seconds, which pass while the grasps are
still being computed; and a broken OpenGL driver ends a process without asking: it must not end the
one that holds the results.

Protocol: on stdin a pickled request with its length (8 bytes, little endian) before it, on stdout
the PNG, or one line that says what went wrong, in the same form. The process ends with its stdin.
"""

import os
import pickle
import subprocess
import sys
from io import BytesIO
from typing import IO

from bghop.drawing.contact_sheet import Cell, draw_contact_sheet
from bghop.errors import DrawingError


class SheetWorker:
    """The other process, started at once and used for any number of sheets."""

    def __init__(self) -> None:
        """Starts the process; it warms up while the caller goes on."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bghop.drawing.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def request(self, cells: list[Cell], *, title: str, subtitle: str) -> None:
        """Asks for a sheet; the drawing goes on beside the caller's work."""
        stdin = self._process.stdin
        try:
            if stdin is not None:
                _send(stdin, pickle.dumps((cells, title, subtitle)))
        except OSError:
            return  # the process has ended: `answer` says so

    def answer(self) -> bytes:
        """The sheet that was asked for, as a PNG file.

        Raises:
            DrawingError: Pictures cannot be drawn on this machine.
        """
        stdout = self._process.stdout
        try:
            content = b"" if stdout is None else _receive(stdout)
        except (OSError, EOFError):
            content = b""
        if not content.startswith(b"\x89PNG"):
            words = content.decode(errors="replace") or "the drawing process ended"
            msg = f"cannot draw pictures ({words}): install libegl1 or mesa-libEGL"
            raise DrawingError(msg)
        return content

    def close(self) -> None:
        """Ends the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _send(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(len(content).to_bytes(8, "little") + content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes:
    header = pipe.read(8)
    content = pipe.read(int.from_bytes(header, "little"))
    if len(header) < 8 or len(content) < int.from_bytes(header, "little"):
        raise EOFError
    return content


def _serve() -> None:
    """The loop of the other process. Its input comes from its parent only, hence pickle."""
    from bghop.drawing.render import Renderer

    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print must not land among the answers
    renderer: Renderer | None = None
    problem = ""
    try:
        renderer = Renderer()
    except Exception as error:
        problem = _one_line(error)
    while True:
        try:
            cells, title, subtitle = pickle.loads(_receive(requests))  # noqa: S301
        except EOFError:
            break
        if renderer is None:
            _send(answers, problem.encode())
            continue
        try:
            sheet = draw_contact_sheet(renderer, cells, title=title, subtitle=subtitle)
            png = BytesIO()
            sheet.save(png, "PNG", compress_level=4)
            _send(answers, png.getvalue())
        except Exception as error:
            _send(answers, _one_line(error).encode())
    if renderer is not None:
        renderer.close()


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


if __name__ == "__main__":
    _serve()
