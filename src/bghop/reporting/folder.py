"""A report as files: Markdown with its pictures beside it, and one HTML file that needs nothing."""

from pathlib import Path

from bghop.files import write_whole, writing
from bghop.reporting.blocks import Document, Gallery, Picture, markdown
from bghop.reporting.html import html


def write_document(folder: Path, name: str, document: Document) -> None:
    """Write `name.md`, `name.html` and the pictures.

    Raises:
        ResultError: The folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for section in document.sections:
        for block in section.blocks:
            shown = block.pictures if isinstance(block, Gallery) else (block,)
            for picture in shown:
                if isinstance(picture, Picture):
                    write_whole(folder / picture.name, picture.png)
    write_whole(folder / f"{name}.md", markdown(document).encode())
    write_whole(folder / f"{name}.html", html(document).encode())
