"""A report as one HTML file that needs nothing else: no scripts, no fonts, pictures inside."""

from base64 import b64encode
from html import escape
from itertools import groupby

from bghop.reporting.blocks import (
    Block,
    Document,
    Figures,
    Gallery,
    Picture,
    Section,
    Table,
    Term,
    Value,
    check_width,
)

_WIDE = 1200  # pixels; what is wider takes the whole width of the page
_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #5b6572; --rule: #d9dde3; --page: #fff;
  --card: #f5f6f8; --link: #005a9c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #9aa4b1; --rule: #363c45;
  --page: #15181c; --card: #1e2228; --link: #7cc0f5; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 1.25rem; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3.25rem 0 0.75rem; scroll-margin-top: 1rem; }
p { max-width: 46rem; margin: 0.75rem 0; overflow-wrap: anywhere; }
a { color: var(--link); text-underline-offset: 0.15em; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; margin: 1.5rem 0 0; font-size: 0.9rem; }
dl.about { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1.25rem; margin: 0;
  font-size: 0.9rem; }
dl.about dt { color: var(--soft); }
dl.about dd { margin: 0; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr));
  gap: 0.75rem; margin: 1.25rem 0; }
.figures div { background: var(--card); border-radius: 0.6rem; padding: 0.9rem 1.1rem; }
.figures b { display: block; font-size: 1.75rem; line-height: 1.25; font-weight: 650;
  font-variant-numeric: tabular-nums; }
.figures span { display: block; font-size: 0.85rem; color: var(--soft); line-height: 1.4; }
.figures span.label { color: var(--ink); font-weight: 600; }
.scroll { overflow-x: auto; margin: 1rem 0 0.25rem; }
table { border-collapse: collapse; font-size: 0.9rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; min-width: 100%; }
th, td { padding: 0.5rem 0.75rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--rule); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; border-bottom-width: 2px; vertical-align: bottom; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--page);
  padding-left: 0; }
tbody th { font-weight: 600; }
table.words th, table.words td { text-align: left; white-space: normal; }
td small { display: block; color: var(--soft); font-size: 0.78rem; }
.caption, figcaption { color: var(--soft); font-size: 0.87rem; line-height: 1.5; }
figure { margin: 1.5rem 0; }
figure img { display: block; width: 100%; max-width: 46rem; height: auto; border-radius: 0.5rem;
  background: #fff; }
figure.wide img { max-width: 100%; }
figcaption { margin-top: 0.45rem; max-width: 46rem; }
figcaption b { color: var(--ink); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr));
  gap: 1.25rem 1rem; margin: 1.25rem 0; }
.gallery figure { margin: 0; }
dl.terms dt { font-weight: 650; margin-top: 1rem; }
dl.terms dd { margin: 0.1rem 0 0; max-width: 46rem; }
@media (max-width: 40rem) { main { padding: 1.5rem 1rem 3rem; } h1 { font-size: 1.6rem; }
  dl.about { grid-template-columns: 1fr; gap: 0; } dl.about dd { margin-bottom: 0.5rem; }
  th:first-child { max-width: 8.5rem; white-space: normal; } th, td { padding: 0.45rem 0.55rem; } }
@media print { :root { --ink: #000; --soft: #444; --page: #fff; --card: #f3f3f3; --rule: #bbb; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; } nav { display: none; }
  .scroll { overflow: visible; } table { font-size: 7.5pt; } th, td { padding: 2pt 3pt;
  white-space: normal; } h2 { break-after: avoid; }
  figure, tr, .figures div { break-inside: avoid; } }
"""


def html(document: Document) -> str:
    """The report as one file; text is escaped, pictures are inside."""
    about = "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in document.about)
    links = "".join(
        f'<a href="#s{index}">{escape(section.title)}</a>'
        for index, section in enumerate(document.sections)
    )
    sections = "\n".join(_section(index, each) for index, each in enumerate(document.sections))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(document.title)}</h1>\n<dl class="about">{about}</dl>\n'
        f'<nav aria-label="Contents">{links}</nav>\n{sections}\n</main>\n</body>\n</html>\n'
    )


def _section(index: int, section: Section) -> str:
    parts = [f'<section>\n<h2 id="s{index}">{escape(section.title)}</h2>']
    for is_term, blocks in groupby(section.blocks, key=lambda block: isinstance(block, Term)):
        content = "\n".join(_block(block) for block in blocks)
        parts.append(f'<dl class="terms">{content}</dl>' if is_term else content)
    return "\n".join([*parts, "</section>"])


def _block(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    if isinstance(block, Term):
        more = f' <a href="{escape(block.link)}">More</a>.' if block.link else ""
        return f"<dt>{escape(block.name)}</dt><dd>{escape(block.meaning)}{more}</dd>"
    if isinstance(block, Figures):
        cards = (
            f'<div><span class="label">{escape(label)}</span><b>{escape(value.text)}</b>'
            f"<span>{escape(value.note or ' ')}</span><span>{escape(words)}</span></div>"
            for label, value, words in block.items
        )
        return f'<div class="figures">{"".join(cards)}</div>'
    if isinstance(block, Picture):
        return _figure(block)
    if isinstance(block, Gallery):
        return f'<div class="gallery">{"".join(_figure(each) for each in block.pictures)}</div>'
    return _table(block)


def _figure(picture: Picture) -> str:
    width, height = _size(picture.png)
    wide = ' class="wide"' if width > min(2 * height, _WIDE) else ""
    source = b64encode(picture.png).decode()
    words = f"<b>{escape(picture.title)}.</b> {escape(picture.caption)}"
    return (
        f'<figure{wide}><img src="data:image/png;base64,{source}" alt="{escape(picture.title)}" '
        f'width="{width}" height="{height}"><figcaption>{words}</figcaption></figure>'
    )


def _size(png: bytes) -> tuple[int, int]:
    """Width and height stand in the first chunk of a PNG file."""
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in table.head)
    lines = []
    for name, values in table.rows:
        check_width(table, values)
        cells = "".join(f"<td>{_cell(value)}</td>" for value in values)
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    kind = ' class="words"' if table.words else ""
    caption = f'<p class="caption">{escape(table.caption)}</p>' if table.caption else ""
    return (
        f'<div class="scroll"><table{kind}><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{caption}"
    )


def _cell(value: Value) -> str:
    note = f"<small>{escape(value.note)}</small>" if value.note else ""
    return escape(value.text) + note
