import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import trimesh
from benchmark_rows import OBJECTS, make_rows, make_times
from PIL import Image

from bghop.drawing.scene import Scene
from bghop.errors import ResultError
from bghop.reporting.blocks import (
    Document,
    Picture,
    Section,
    Table,
    Value,
    markdown,
    number,
)
from bghop.reporting.html import html
from bghop.reporting.intervals import Estimate, Resampling
from bghop.reporting.pictures import failing_rows
from bghop.reporting.report import Header, summary_json, write_report
from bghop.reporting.summary import summarize
from bghop.reporting.timing import summarize_times

HEADER = Header(
    command="bghop evaluate MESHES --num 4", date="2026-11-21", machine="two cores",
    versions={"bghop": "0.1", "torch": "2.13"}, docs="https://example.org/docs",
    notes=("Other jobs ran beside it.",),
)  # fmt: skip
QUICK = Resampling(num_resamples=50)
VOID = {"meta", "img", "br", "link", "input"}


class Painter:
    """Stands in for a window."""

    def picture(self, *_):
        return np.full((24, 24, 3), 180, dtype=np.uint8)


def scene_of(row):
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.05)
    part = (np.array(ball.vertices), np.array(ball.faces))
    return Scene(object=part, hands=(part, None))


def written(rows, times=None, **options):
    files = {}

    def write(name, content):
        assert name not in files
        files[name] = content

    times = make_times(rows) if times is None else times
    write_report(write, rows, times, **({"header": HEADER, "options": QUICK} | options))
    return files


@pytest.fixture(scope="module")
def rows():
    return make_rows(num=4)


@pytest.fixture(scope="module")
def few():
    return make_rows(objects=OBJECTS[:2], num=2)


@pytest.fixture(scope="module")
def plain(rows):
    return written(rows, draw=False)


@pytest.fixture(scope="module")
def drawn(rows):
    strip = Picture(name="pictures/strip.png", png=PNG, title="A fall", caption="along -z")
    return written(rows, painter=Painter(), scene_of=scene_of, strips=[strip])


def png(width, height):
    content = io.BytesIO()
    Image.new("RGB", (width, height)).save(content, "PNG")
    return content.getvalue()


PNG = png(30, 10)


class Page(HTMLParser):
    """Reads a page; every tag must be closed where it was opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures, self.links, self.ids, self.tags = [], [], [], set(), set()
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.add(tag)
        self.ids |= {found["id"]} if "id" in found else set()
        self.pictures += [found["src"]] if tag == "img" else []
        self.links += [found["href"]] if tag == "a" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_everything_is_written_and_pictures_are_links_in_markdown(drawn):
    assert {"report.md", "report.html", "summary.json"} < set(drawn)
    linked = set(re.findall(r"!\[[^]]*]\(([^)]*)\)", drawn["report.md"].decode()))
    pictures = {name for name in drawn if name.startswith("pictures/")}
    assert linked == pictures - {"pictures/failures.png"}
    names = ("hold_0", "left_right_1", "depth", "time", "failure_00", "strip")
    assert {f"pictures/{name}.png" for name in names} <= linked


def test_the_page_is_whole_and_asks_for_nothing_from_outside(drawn):
    text = drawn["report.html"].decode()
    page = Page(text)
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert not re.search(r"url\(|@import|src=\"(?!data:)", text)
    inside = {base64.b64decode(each.split(",", 1)[1]) for each in page.pictures}
    assert inside == {drawn[name] for name in drawn
                      if name.startswith("pictures/") and "failures" not in name}  # fmt: skip
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids


def test_the_page_reads_on_phones_in_the_dark_and_on_paper(plain):
    text = plain["report.html"].decode()
    for words in ("width=device-width", "prefers-color-scheme: dark", "@media print", "overflow-x"):
        assert words in text


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_the_header_and_the_notes_are_there(plain, name):
    text = plain[name].decode()
    for words in (HEADER.command, HEADER.date, HEADER.machine, "torch 2.13", *HEADER.notes,
                  "40 of 5 objects, 2 methods, seed 0", "Only 5 objects"):  # fmt: skip
        assert words in text


def test_numbers_of_the_tables_are_those_of_the_rows(rows, plain):
    own = [row for row in rows if row["method"] == "optimize"]
    lines = plain["report.md"].decode().splitlines()
    (first, *_) = [line for line in lines if line.startswith("| optimize, all |")]
    cells = [cell.strip() for cell in first.split("|")[2:-1]]
    hold = 100 * np.mean([row["hold"] for row in own])
    depth = np.mean([max(row["depth_left_mm"], row["depth_right_mm"]) for row in own])
    assert cells[0].startswith(f"{hold:.0f} % [")
    assert cells[3].startswith(f"{depth:.2f} [")
    best = [row["hold"] for row in own if row["rank"] == 0]
    (ranked, *_) = [line for line in lines if line.startswith("| optimize, best-ranked |")]
    assert f"| {100 * np.mean(best):.0f} % [" in ranked


def test_verified_grasps_never_share_a_column_with_best_ranked_ones(plain):
    for line in plain["report.md"].decode().splitlines():
        if line.startswith("| ") and "erified" in line:
            assert "Verified: hold" in line
            assert "Best-ranked" in line  # the table that sets them side by side, in own columns


def test_the_summary_repeats_byte_for_byte_and_knows_no_time(rows, plain, drawn):
    slower = [each | {"synthesis_s": 99.0} for each in make_times(rows)]
    later = Header(command="x", date="2031-01-01", machine="another", versions={})
    again = written(rows, times=slower, header=later, draw=False)
    assert plain["summary.json"] == drawn["summary.json"] == again["summary.json"]
    assert plain["report.md"] != again["report.md"]
    content = json.loads(plain["summary.json"])
    assert [each["method"] for each in content["methods"]] == ["optimize@30", "optimize"]
    (compared,) = content["comparisons"]
    assert (compared["method"], compared["reference"]) == ("optimize", "optimize@30")
    assert "time" not in plain["summary.json"].decode()


def test_the_summary_holds_the_estimates(rows):
    methods = summarize(rows, options=QUICK)
    content = json.loads(summary_json(methods))["methods"][1]["groups"]["all objects"]
    wanted = methods[1].groups["all objects"].selections["best-ranked"]["hold"]
    found = content["selections"]["best-ranked"]["hold"]
    assert found == pytest.approx({"mean": wanted.mean, "low": wanted.low, "high": wanted.high,
                                   "n": wanted.n, "objects": wanted.objects})  # fmt: skip


def test_failures_come_one_a_run_best_ranks_first(rows):
    failures = failing_rows(rows, "optimize")
    runs = [(row["method"], row["object"]) for row in failures]
    assert len(set(runs)) == len(runs)
    assert not any(row["hold"] for row in failures)
    order = [(row["method"] != "optimize", row["rank"]) for row in failures]
    assert order == sorted(order)
    for row in failures:
        better = [each for each in rows if (each["method"], each["object"]) ==
                  (row["method"], row["object"]) and each["rank"] < row["rank"]]  # fmt: skip
        assert all(each["hold"] for each in better)
    assert failing_rows(rows, "optimize", most=2) == failures[:2]


def test_failures_without_pictures_are_listed_with_their_reason(rows, plain):
    worst = failing_rows(rows, "optimize@30")[0]
    text = plain["report.md"].decode()
    assert f"{worst['object']}, {worst['method']}, seed 0, rank {worst['rank']} |" in text
    assert f"held in {worst['hold_directions']} of 6 directions" in text


def test_without_a_hold_test_the_report_says_so_and_shows_the_rest():
    rows = make_rows(objects=OBJECTS[:3], num=2, tested=False)
    files = written(rows)
    text = files["report.md"].decode()
    assert "12 of 12 grasps had no hold test" in text
    assert not re.search(r"## (Does it take two|Scores against)|Verified: hold", text)
    assert "Static check | Instability |" in text  # these need no simulation
    assert "nan" not in text.lower().replace("name", "")
    assert "pictures/depth.png" in files
    assert not any("hold" in name or "time" in name for name in files)
    Page(files["report.html"].decode())


def test_metrics_of_other_papers_have_a_table_of_their_own(rows, plain):
    own = [row for row in rows if row["method"] == "optimize"]
    text = plain["report.md"].decode()
    part = text.split("## By the definitions of other papers")[1].split("##")[0]
    lines = {line.split("|")[1].strip(): line for line in part.splitlines() if line[:2] == "| "}
    left, right = (np.array([row[f"grasptta_volume_{side}_cm3"] for row in own]) for side in
                   ("left", "right"))  # fmt: skip
    for label, values in (("left", left), ("right", right),
                          ("both, mean of hands", np.concatenate([left, right]))):  # fmt: skip
        assert f"| {values.mean():.2f} [" in lines[f"optimize, {label}"]
    inside = np.mean([row["halo_distance_right_cm"] < 0 for row in own])
    assert lines["optimize, right"].split("|")[-2].strip().startswith(f"{100 * inside:.0f} % [")


def test_the_order_of_scores_is_shown_where_grasps_were_tested(rows, plain):
    found = summarize(rows, options=QUICK)[1].groups["all objects"].ordering
    text = plain["report.md"].decode()
    (line,) = [
        line for line in text.split("## Scores against the hold test")[1].splitlines()
        if line.startswith("| optimize |") and line.endswith(f"| {found['score'].n} |")
    ]  # fmt: skip
    assert line.startswith(f"| optimize | {100 * found['score'].mean:.0f} %")
    untested = make_rows(objects=OBJECTS[:3], num=2, tested=False)
    assert b"Scores against" not in written(untested, draw=False)["report.md"]


def test_extra_numbers_have_a_table_of_their_own(few):
    extra = {"optimize": {"Entropy, nats": Estimate(mean=2.5, low=2.25, high=2.75, n=5, objects=5),
                          "Cluster size, cm": 3.0}}  # fmt: skip
    files = written(few, extra=extra, draw=False)
    text = files["report.md"].decode()
    assert "| optimize | 2.50 [2.25 to 2.75] | 3.00 |" in text
    assert "| optimize@30 | – | – |" in text
    assert b"Entropy" in files["summary.json"]


def test_links_lead_into_the_documents_only_where_there_are_any(few, plain):
    assert "](https://example.org/docs/hold_test.md)" in plain["report.md"].decode()
    bare = Header(command="x", date="d", machine="m", versions={})
    files = written(few, header=bare, draw=False)
    assert "More" not in files["report.md"].decode()


def test_names_cannot_break_the_page_or_the_tables():
    table = Table(head=("a|b", "c"), rows=(("<b>|x", (Value(text="1 < 2", note="|"),)),))
    page = Document(title="<script>", about=(("a", "<i>"),),
                    sections=(Section(title="x & y", blocks=(table,)),))  # fmt: skip
    tags = Page(html(page)).tags
    assert not tags & {"script", "b", "i"}
    for line in markdown(page).splitlines()[-3:]:
        assert len(re.findall(r"(?<!\\)\|", line)) == 3


def test_a_row_that_does_not_fit_its_head_is_refused():
    table = Table(head=("a", "b", "c"), rows=(("x", (Value(text="1"),)),))
    page = Document(title="t", about=(), sections=(Section(title="s", blocks=(table,)),))
    for writer in (html, markdown):
        with pytest.raises(ResultError, match="a row of 2 under a head of 3"):
            writer(page)


def test_key_numbers_of_an_unknown_method_are_refused(few):
    header = Header(command="x", date="d", machine="m", versions={}, method="prior")
    with pytest.raises(ResultError, match="'prior': choose one of optimize@30, optimize"):
        written(few, header=header, draw=False)


@pytest.mark.parametrize(
    ("value", "signed", "text", "note"),
    [
        (Estimate(mean=-0.001, low=-0.2, high=0.004, n=3, objects=3), True, "+0.0", "-0.2 to +0.0"),
        (Estimate(mean=1.25, low=None, high=None, n=3, objects=1), False, "1.2", ""),
        (None, False, "–", ""),
        (2.0, True, "+2.0", ""),
    ],
)
def test_numbers_are_written_with_sign_interval_or_not_at_all(value, signed, text, note):
    assert number(value, digits=1, signed=signed) == Value(text=text, note=note)


def test_times_are_means_over_runs_and_synthesis_is_shared_by_the_grasps(rows):
    times = make_times(rows)
    times[0]["synthesis_s"], times[0]["pieces_s"] = 8.0, None
    found = summarize_times(rows, times)["optimize@30"]
    assert found.runs == 5
    assert found.columns["grasp_s"].mean == pytest.approx((8 + 4 * 2) / 5 / 4)
    assert found.columns["grasp_s"].most == 2.0
    assert found.columns["pieces_s"].mean == 9.0
    assert summarize_times(rows, []) == {}
