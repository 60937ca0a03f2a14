# SPDX-License-Identifier: GPL-2.0-only
"""Pages of check, diff and mutate: what they say, that they are sound, and that Chromium shows them well."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest

from extractor.mail import read_mails
from extractor.mutants import mutants
from extractor.patch import parse_patch
from harness.coverage import FunctionCoverage, LineCoverage, PatchCoverage, SourceLine
from harness.report.document import After, Case, Document, Known, PatchText, Row, Table
from harness.report.html.check import check_page
from harness.report.html.listing import Marks, Note, listing
from harness.report.html.message import pieces
from harness.report.html.page import TEMPLATES, style, visible
from harness.report.html.trace import pair, view
from tests.cli import ONE, QUICK, Done, kconform
from tests.mails import BUNDLED_PATCH, next_revision
from tests.planted import DEFECTS, plant

pytestmark = pytest.mark.xdist_group("html")  # so that each page is made once
RMAP = "include/linux/rmap.h"
HOSTILE = '</td></title></style><script>alert(1)</script><img src=x onerror="alert(2)">{{ 7*7 }} &lt;\'"]]>'
SEEN = "<U+0001> <U+001B>[31m <U+202E>"
UNSEEN = "\x01 \x1b[31m \u202e"


class Page:
    """A page as a browser reads it; one that breaks a rule of HTML's syntax fails here."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
        self.ids = {e.get("id"): e for e in self.root.iter() if e.get("id")}

    def all(self, path: str) -> list[Element]:
        return self.root.findall(f".//{path}")

    def by_class(self, name: str, tag: str = "*") -> list[Element]:
        return [e for e in self.root.iter() if tag in ("*", e.tag) and name in classes(e)]

    def below(self, id: str) -> str:
        return words(self.ids[id])

    def section(self, id: str) -> Element:
        return next(e for e in self.all("section") if e.get("aria-labelledby") == id)


def classes(element: Element) -> list[str]:
    return element.get("class", "").split()


def raw(element: Element) -> str:
    return "".join(element.itertext())


def words(element: Element) -> str:
    return " ".join(raw(element).split())


def page_of(folder: Path, *arguments: object, stdin: str | bytes = b"") -> tuple[Page, Done]:
    """The page of a command, and its JSON."""
    file = folder / "page.html"
    done = kconform(*arguments, "--format", f"html:{file}", "--format", "json", stdin=stdin)
    assert not done.err and done.status in (0, 1), done.err
    return Page(file.read_text(encoding="ascii")), done


def few_mutants(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("harness.mutate.mutants",
                  lambda items: [m for m in mutants(items) if m.item == "folio_set_mm1_id"])  # fmt: skip


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, Done]:
    with pytest.MonkeyPatch.context() as patch:
        few_mutants(patch)
        return page_of(
            tmp_path_factory.mktemp("bundled"),
            "check",
            BUNDLED_PATCH,
            *ONE,
            *QUICK,
            "--strength",
            "--coverage",
        )


@pytest.fixture(scope="module")
def mutated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, Done]:
    with pytest.MonkeyPatch.context() as patch:
        few_mutants(patch)
        return page_of(tmp_path_factory.mktemp("mutated"), "mutate", BUNDLED_PATCH, *ONE)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, Done]:
    folder = tmp_path_factory.mktemp("compared")
    return page_of(folder, "diff", BUNDLED_PATCH, next_revision(), *ONE, "--walk", "0", "--cost")


def hostile_mail() -> str:
    """A mail whose every word tries to get out of its place, and whose code has a defect."""
    put = f"+	/* {HOSTILE} {UNSEEN} */\n"
    body = plant((DEFECTS["null dereference"][0], put + DEFECTS["null dereference"][1]))
    body = body[body.index("Let's track") : body.index("-- \n2.46.0") + 10]
    # Not by email.header: b4, once imported, changes what that makes of UTF-8.
    subject = f"=?utf-8?b?{base64.b64encode(f'[PATCH] mm: {HOSTILE} {UNSEEN}'.encode()).decode()}?="
    head = f"From: <script@x>\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n"
    return f"{head}Content-Transfer-Encoding: 8bit\n\n{HOSTILE} {UNSEEN}\n\n{body}"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, Done]:
    return page_of(tmp_path_factory.mktemp("hostile"), "check", "-", *ONE, *QUICK, stdin=hostile_mail())


@pytest.fixture(params=["bundled", "mutated", "compared", "hostile"])
def any_page(request: pytest.FixtureRequest) -> Page:
    page: Page = request.getfixturevalue(request.param)[0]
    return page


# Every page.


def test_a_page_is_one_file_that_loads_and_runs_nothing(any_page: Page) -> None:
    page = any_page
    assert {e.tag for e in page.root.iter() if isinstance(e.tag, str)} <= set(
        "html head meta title style body a header p h1 h2 h3 h4 span details summary ul li nav main section "
        "article div table caption thead tbody tr th td b code pre br q dl dt dd i footer".split()
    )
    names = {name for e in page.root.iter() for name in e.attrib}
    assert names <= set("lang charset http-equiv content name class href id open aria-label aria-labelledby "
                        "tabindex scope colspan rowspan title".split())  # fmt: skip
    policy = next(e.get("content", "") for e in page.all("meta") if e.get("http-equiv"))
    css = base64.b64encode(hashlib.sha256(raw(page.all("style")[0]).encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{css}'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"url\(|@import|@font-face", raw(page.all("style")[0]))
    assert len(page.text) < 1_000_000


def test_links_lead_somewhere_and_ids_are_unique(any_page: Page) -> None:
    page = any_page
    ids = [e.get("id") for e in page.root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    hrefs = [e.get("href", "") for e in page.all("a")]
    assert len(hrefs) > 5
    assert [href for href in hrefs if not href.startswith("#") or href[1:] not in page.ids] == []


def test_headings_tables_and_landmarks_say_what_they_are(any_page: Page) -> None:
    page = any_page
    levels = [int(e.tag[1]) for e in page.root.iter() if re.fullmatch(r"h\d", str(e.tag))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    for table in page.all("table"):
        assert table[0].tag == "caption" and words(table[0])
        assert all(th.get("scope") for th in table.iter("th"))
        widths = {sum(int(cell.get("colspan", 1)) for cell in row) for row in table.findall("tbody/tr")}
        assert len(widths) == 1, words(table[0])
    for name in ("header", "nav", "main", "footer"):
        assert len(page.all(name)) == 1
    assert all(e.get("aria-labelledby") in page.ids for e in page.all("section"))
    first = next(e for e in page.root.iter() if e.get("href"))
    assert (first.get("href"), words(first)) == ("#main", "Skip to the report")
    assert page.root.get("lang") == "en"


# A check.


def test_the_verdict_comes_first_and_sections_in_their_order(bundled: tuple[Page, Done]) -> None:
    page, _ = bundled
    assert words(page.all("h1")[0]).startswith("FAIL 3 of 215 checks failed (1 separate finding)")
    assert [words(h) for h in page.all("h2")] == [
        "Findings", "Claims", "All checks", "Patch", "Mutants", "Not checked", "Configuration"]  # fmt: skip
    assert [e.get("href") for e in page.all("nav/ul/li/a")] == [f"#{h.get('id')}" for h in page.all("h2")]
    assert "exploration" not in words(page.all("h1")[0])
    run = words(page.by_class("run", "details")[0])
    assert "bounds mms=3, pages=4: all 1,702 states" in run


def test_a_finding_has_its_sentence_trace_place_and_what_else_it_is(bundled: tuple[Page, Done]) -> None:
    page, _ = bundled
    (article,) = page.all("article")
    said = words(article)
    assert article.get("id") == "finding-1"
    assert words(article[0]).startswith("does not hold: no more than two MMs at any one time")
    assert 'the patch says: "There won\'t be any false "mapped shared" detection' in said
    assert "broken in 84 of 1,702 states" in said
    assert f"{RMAP}:264 folio_clear_large_mapped_exclusively(folio);" in said
    (also,) = article.findall("details")
    assert also.get("open") is None
    assert "conformance/add/exclusive: exclusive: the model expects 1, the code gives 0" in words(also)
    href = next(e.get("href", "") for e in article.iter("a") if words(e) == f"{RMAP}:264")
    row = page.ids[href[1:]]
    assert words(row[0]) == "264" and "folio_clear_large_mapped_exclusively" in words(row)
    assert "kconform replay DIR/FILE" in words(page.section("findings"))


def rows_of(table: Element) -> list[list[Element]]:
    return [list(row) for row in table.findall("tbody/tr")]


def test_a_trace_has_a_column_an_mm_and_marks_what_changed(bundled: tuple[Page, Done]) -> None:
    page, done = bundled
    rows = list(page.section("claims").iter("tr"))
    at = next(n for n, tr in enumerate(rows) if "three-mms-stay-shared" in words(tr))
    (table,) = rows[at + 1].iter("table")
    head = [[words(th) for th in tr] for tr in table.findall("thead/tr")]
    assert head[0] == ["step", "call, by its MM", "then observed"]
    assert head[1] == "mm0;mm1;mm2;mapcount;flag;slot 0;slot 1;lock;warnings".split(";")
    told = rows_of(table)
    calls = [[words(cell) for cell in cells[1:4]] for cells in told[1:]]
    steps = done.check("claim/three-mms-stay-shared")["trace"][1:]
    assert len(calls) == len(steps) == 5
    for columns, step in zip(calls, steps, strict=True):
        (at,) = [n for n, call in enumerate(columns) if call]
        assert at == step["args"]["mm"] and columns[at].startswith(f"{step['op']}(mm={at}")
    assert [words(cell) for cell in told[0]][:2] == ["0", "(initial)"] and told[0][1].get("colspan") == "3"
    seen = [[words(cell) for cell in cells[-6:]] for cells in told]
    assert seen[3] == ["3", "shared", "mm0 x1", "mm1 x1", "-", "0"]
    for before, now, cells in zip(seen, seen[1:], told[1:], strict=False):
        changed = [bool(cell.findall("b")) and "c" in classes(cell) for cell in cells[-6:]]
        assert changed == [a != b for a, b in zip(before, now, strict=True)]


def test_every_claim_has_its_verdict_and_sentence(bundled: tuple[Page, Done]) -> None:
    page, done = bundled
    claims = [check for check in done.json["checks"] if check["group"] == "claim"]
    rows = [tr for tr in page.section("claims").iter("tr") if tr.get("id", "").startswith("claim-")]
    assert len(rows) == len(claims) == 9
    for claim, row in zip(claims, rows, strict=True):
        assert words(row[0]) == claim["verdict"]
        assert claim["title"] in words(row[1]) and claim["id"] in words(row[1])
        assert words(row[2]) == " ".join(claim["quote"].split())
        assert words(row[3])
    broken = next(row for row in rows if words(row[0]) == "fail")
    assert [a.get("href") for a in broken[3].iter("a")] == ["#finding-1"]
    quoted = next(iter(broken[2].iter("a"))).get("href", "")
    assert page.ids[quoted[1:]].get("href") == f"#{broken.get('id')}"  # the message leads back


def test_every_check_is_there(bundled: tuple[Page, Done]) -> None:
    page, done = bundled
    rows = [row for row in page.section("checks").iter("tr") if row.get("class")]
    shown = [(words(row[0]), words(row[1]).partition(" ")[0]) for row in rows]
    assert shown == [(check["verdict"], check["id"]) for check in done.json["checks"]]
    assert not any(e.get("open") is not None for e in page.section("checks").iter("details"))


def listed(page: Page, text: bool = True) -> list[Any]:
    """The lines of the listing, or its rows without notes."""
    found: list[Any] = []
    for table in page.by_class("listing", "table"):
        head = table.findall("thead/tr/th")[-1]
        found += raw(head).rstrip("\n").split("\n") if text else []
        for row in table.findall("tbody/tr"):
            if "note" not in classes(row):
                found.append(raw(row[-1]) if text else row)
    return found


def test_the_patch_is_listed_as_it_was_mailed(bundled: tuple[Page, Done], hostile: tuple[Page, Done]) -> None:
    (mail,) = read_mails([str(BUNDLED_PATCH)])
    patch = parse_patch(mail)
    assert listed(bundled[0]) == list(patch.diff)
    numbers = [int(words(row[0])) for row in listed(bundled[0], False) if row.get("id")]
    lines = [line for file in patch.files for hunk in file.hunks for line in hunk.lines]
    assert numbers == [line.number for line in lines if line.number is not None]
    assert f"+	/* {HOSTILE} {SEEN} */" in listed(hostile[0])


def test_the_listing_says_what_ran(bundled: tuple[Page, Done]) -> None:
    page, done = bundled
    counted = {
        (function["file"], line["line"]): line
        for function in done.json["coverage"]["functions"]
        for line in function["counts"]
    }
    (table,) = (t for t in page.by_class("listing", "table") if RMAP in words(t[0]))
    shown = {int(words(row[0])): row for row in table.findall("tbody/tr") if row.get("id")}
    own = {number: line for (file, number), line in counted.items() if file == RMAP}
    assert len(own) > 40
    for number, line in own.items():
        row = shown[number]
        assert words(row[1]) == (f"{line['count']:,}" if line["count"] else "never")
        taken = [branch["count"] > 0 for branch in line["branches"]]
        assert words(row[2]) == (f"{sum(taken)}/{len(taken)}" if taken else "")
    assert words(shown[203][3]) == ""  # no mutants of it


def test_findings_and_survivors_stand_at_their_lines(bundled: tuple[Page, Done]) -> None:
    page, done = bundled
    rows = [row for table in page.by_class("listing", "table") for row in table.findall("tbody/tr")]
    notes = {words(before[0]): row for before, row in itertools.pairwise(rows) if "note" in classes(row)}
    assert set(notes) == {"206", "264"}
    assert words(notes["264"]).startswith("FINDING does not hold: no more than two MMs")
    assert words(notes["206"]) == "survives change-assignment: |= becomes ^="
    lives = next(iter(notes["206"].iter("a"))).get("href", "")
    assert "every legal call" in page.below(lives[1:])
    strength = done.json["strength"]
    killed = sum(m["line"] == 206 for m in strength["killed"])
    every = killed + sum(m["line"] == 206 for m in strength["survived"])
    assert words(page.ids[page_line(page, 206)][3]) == f"{killed}/{every}" and killed


def page_line(page: Page, number: int) -> str:
    """The id of a line of rmap.h."""
    return next(id for id in page.ids if re.fullmatch(rf"p1f5L{number}", id))


def test_a_second_run_gives_the_same_bytes(hostile: tuple[Page, Done], tmp_path: Path) -> None:
    again, _ = page_of(tmp_path, "check", "-", *ONE, *QUICK, stdin=hostile_mail())
    timing = re.compile(r'<p class="timing">Time: [\d.]+ s</p>\n')
    texts = [timing.sub("", page.text) for page in (again, hostile[0])]
    assert texts[0] == texts[1] and len(texts[0]) < len(again.text)
    assert not re.search(r"\b20[2-9]\d-\d\d-\d\d|\b\d\d:\d\d:\d\d\b|/tmp/", again.text)


# Mutants and comparisons.


def test_mutants_stand_by_their_fate_each_with_its_diff(mutated: tuple[Page, Done]) -> None:
    page, done = mutated
    assert words(page.all("h1")[0]).startswith("FAIL ")
    for fate in ("survived", "killed", "equivalent"):
        shown = [e for id, e in page.ids.items() if re.fullmatch(rf"{fate}-\d+", id)]
        assert len(shown) == len(done.json[fate])
        for row, mutant in zip(shown, done.json[fate], strict=True):
            assert words(row[0]) == f"{mutant['file']}:{mutant['line']}{mutant['item']}"
            assert [line for line in raw(row[1].findall("pre")[0]).split("\n") if line] == mutant["diff"]
    order = [id.partition("-")[0] for id in page.ids if re.fullmatch(r"(survived|killed|equivalent)-1", id)]
    assert order[0] == "survived" and order[-1] == "killed"
    assert any("note" in classes(row) and "survives" in words(row) for row in page.all("tr"))


def test_differences_stand_side_by_side_with_what_differs_marked(compared: tuple[Page, Done]) -> None:
    page, done = compared
    blocks = [b for c in done.json["contracts"] for b in c["differences"]]
    told = [e for id, e in page.ids.items() if re.fullmatch(r"difference-\d+", id)]
    assert len(told) == sum(not b["follows"] for b in blocks) == 5
    following = [e for id, e in page.ids.items() if id.startswith("follows-")]
    assert len(following) == sum(b["follows"] for b in blocks) and {e.tag for e in following} == {"details"}
    assert words(page.all("h1")[0]) == f"DIFFERENT {done.json['summary']}"
    first = told[0]
    assert words(first[0]) == ("flag: shared in OLD, exclusive in NEW; OLD's own model does not expect that "
                               "of OLD: mended")  # fmt: skip
    for article in told:
        (table,) = article.iter("table")
        groups = [(words(th), int(th.get("colspan", 1))) for th in table.findall("thead/tr")[0]]
        assert [name for name, _ in groups[-2:]] == ["OLD", "NEW"]
        (_, half), (_, other) = groups[-2:]
        names = [words(th) for th in table.findall("thead/tr")[1]]
        for cells in rows_of(table):
            old = dict(zip(names[-half - other : -other], cells[-half - other : -other], strict=True))
            new = dict(zip(names[-other:], cells[-other:], strict=True))
            for name in old.keys() & new.keys():
                apart = words(old[name]) != words(new[name])
                assert ("x" in classes(old[name])) == ("x" in classes(new[name])) == apart
        last = rows_of(table)[-1]
        assert any("x" in classes(cell) for cell in last)  # the call after which they differ
    claims = words(page.section("claims"))
    assert "claims that OLD breaks and NEW keeps no more than two MMs" in claims
    assert "OLD, after add(mm=0, diff=1)" in claims
    assert "17 added" in words(page.section("interface")) and "mm_id_mapcount_t" in words(
        page.section("interface")
    )


def test_what_a_diff_costs_and_what_is_the_same_is_said(compared: tuple[Page, Done]) -> None:
    page, done = compared
    assert done.json["cost"]
    cost = words(page.section("cost"))
    assert "RMW" in cost and "folio_sub_large_mapcount" in cost and " -> " in cost
    assert "the same within these bounds against mm-owner-tracking" in words(page.section("same"))


# A stranger's text.


def test_a_strangers_text_stays_text(hostile: tuple[Page, Done]) -> None:
    page, _ = hostile
    assert raw(page.all("title")[0]) == f"FAIL: [PATCH] mm: {HOSTILE} {SEEN}"
    assert f"{HOSTILE} {SEEN}" in raw(page.by_class("message", "pre")[0])
    assert page.all("script") == [] and page.all("img") == []
    assert "49" not in words(page.by_class("subject")[0])
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\uffff]", page.text)


@pytest.mark.parametrize(
    "code", [0, 1, 8, 0xB, 0x7F, 0x85, 0xAD, 0x202E, 0x2066, 0x200B, 0xD800, 0xFFFE, 0xFEFF]
)
def test_characters_that_nobody_sees_are_shown(code: int) -> None:
    assert visible(f"a{chr(code)}b") == f"a<U+{code:04X}>b"


def test_other_characters_stay() -> None:
    assert visible("Grüße, 日本語 🐧\t\n") == "Grüße, 日本語 🐧\t\n"


# Parts of pages.


def rows(*calls: tuple[str, str, tuple[str, ...]]) -> Table:
    return Table(("a", "b"), tuple(Row(call, cells, member=member) for call, member, cells in calls))


def test_calls_of_no_mm_have_a_column_and_mm10_comes_after_mm2() -> None:
    shown = view(rows(("(initial)", "", ("0", "0")), ("f()", "mm10", ("1", "0")), ("g()", "", ()),
                      ("h()", "mm2", ("1", "1"))))  # fmt: skip
    assert shown and shown.callers == ("mm2", "mm10", "") and shown.by_member
    assert [line.caller for line in shown.lines] == [None, 1, 2, 0]
    assert [[cell.changed for cell in line.sides[0].cells] for line in shown.lines] == [
        [False, False], [True, False], [], [False, True]]  # fmt: skip
    plain = view(rows(("(initial)", "", ("0", "0")), ("f()", "", ("1", "0"))))
    assert plain and plain.callers == ("",) and not plain.by_member
    assert view(Table()) is None


def test_a_revision_that_ends_early_stands_beside_the_other() -> None:
    old = rows(("(initial)", "", ("0", "0")), ("f()", "mm0", ("1", "0")))
    new = Table(("a", "b"), (*old.rows[:1], replace(old.rows[1], cells=(), stopped="signal")))
    shown = pair(("OLD", "NEW"), old, new)
    assert [len(side.cells) for side in shown.lines[1].sides] == [2, 0]
    assert shown.lines[1].sides[1].stopped == "signal" and shown.lines[1].apart
    assert not any(cell.apart for side in shown.lines[1].sides for cell in side.cells)


BARE = """--- a/one.c
+++ b/one.c
@@ -1 +1,2 @@
-old
+new
+newer
\\ No newline at end of file
--- a/gone.c
+++ /dev/null
@@ -1,1 +0,0 @@
-last
diff --git a/from.c b/to.c
similarity index 100%
rename from from.c
rename to to.c"""


def text_of(diff: str) -> PatchText:
    return PatchText("s", "-", "0", (), (), "", tuple(diff.split("\n")))


def test_diffs_of_every_kind_are_read() -> None:
    (one,) = listing([text_of(BARE)], Marks()).patches
    assert [file.path for file in one.files] == ["one.c", "gone.c", "to.c"]
    assert [(line.number, line.text) for line in one.files[0].lines[1:]] == [
        (None, "-old"), (1, "+new"), (2, "+newer"), (None, "\\ No newline at end of file")]  # fmt: skip
    assert one.files[2].lines == () and one.files[2].head[-1] == "rename to to.c"


def test_of_a_series_lines_are_found_where_later_patches_move_them() -> None:
    first = "--- a/x.c\n+++ b/x.c\n@@ -5,2 +5,4 @@\n five\n+new\n+gone\n six"
    second = "--- a/x.c\n+++ b/x.c\n@@ -1,0 +2,2 @@\n+a\n+b\n@@ -6,2 +8,1 @@\n new\n-gone"
    source = tuple(
        SourceLine(text, number, "added") for number, text in ((7, "five"), (8, "new"), (9, "other"))
    )
    ran = {number: LineCoverage("x.c", number, number * 10) for number in (7, 8, 9)}
    covered = PatchCoverage((FunctionCoverage("f", "x.c", source, ran, frozenset(ran)),))
    note = Note("x.c", 8, "fail", "F", "#f", "t", "new")
    made = listing([text_of(first), text_of(second)], Marks(covered, None, (note,)))
    old = made.patches[0].files[0].lines[1:]
    assert [(line.number, line.last) for line in old] == [(5, 7), (6, 8), (7, None), (8, 9)]
    assert made.href("x.c", 8, "new") == f"#{old[1].id}" and [n.word for n in old[1].notes] == ["F"]
    assert [line.ran and line.ran.count for line in old] == [70, 80, None, None]  # 9 reads otherwise
    assert made.href("x.c", 9) == f"#{old[3].id}"
    assert made.href("x.c", 7, "gone") == f"#{old[2].id}"  # as it was after the first patch


def test_sentences_are_found_in_a_message_across_its_lines() -> None:
    sentences = {"never leaks": "#a", "leaks, that": "#b", "So": "#c", "not there": "#d"}
    found = pieces("So it is. It never\n  leaks, that is it. So.", sentences, "s")
    assert [(p.text, p.href) for p in found] == [
        ("So", "#c"), (" it is. It ", ""), ("never\n  leaks", "#a"), (", that is it. So.", "")]  # fmt: skip
    assert [p.id for p in found if p.id] == ["s1", "s2"]


BLANK: Mapping[str, Any] = {
    "patches": (), "tree": "", "tree_notes": (), "tree_config": "", "seed": 1, "traces_folder": "",
    "parts": (), "cases": (), "outlooks": (), "reached": (), "base": (), "unused": (), "near": (),
    "partial": (), "unfound": (), "failed": {}, "replays": (), "strength": None,
    "tool": {"version": "0", "compiler": "gcc", "python": "3"},
}  # fmt: skip


def test_what_is_known_or_inherited_is_no_finding_and_its_reason_is_said() -> None:
    case = Case("claim/x", "claim", "fail", "x holds", contract="c", file="x.c", line=2, source="b")
    cases = (replace(case, known=Known("to be mended by <b>", "2030-01-01")),
             replace(case, id="claim/y", inherited=True))  # fmt: skip
    patch = text_of("--- a/x.c\n+++ b/x.c\n@@ -1,1 +1,2 @@\n a\n+b")
    said = Document(**{**BLANK, "patches": (patch,), "cases": cases, "failed": {"late": "it ends"},
                       "baseline": ("z no longer <occurs>",)})  # fmt: skip
    page = Page(check_page(said))
    assert "findings" not in page.ids
    known = words(page.section("known"))
    assert "Known: to be mended by <b>; until 2030-01-01" in known
    assert "The base does the same." in known
    assert "z no longer <occurs>" in words(page.section("remarks"))
    assert "late: it ends" in words(page.section("errors"))
    assert [words(row) for row in page.by_class("note", "tr")] == [
        "known does not hold: x holds",
        "base does not hold: x holds",
    ]
    assert page.by_class("timing") == []


def test_a_series_says_first_what_each_of_its_patches_does() -> None:
    patches = tuple(text_of(f"--- a/{n}.c\n+++ b/{n}.c\n@@ -1,1 +1,2 @@\n a\n+b") for n in (1, 2))
    case = Case("claim/x", "claim", "fail", "x holds", contract="c", brought="1/2 s", mended="2/2 s",
                within="after patch 1 of 2", file="1.c", line=2, source="b")  # fmt: skip
    history = (After(1, {"f": "claim/x"}, ("c",), {}, {}), After(2, {}, ("c",), {}, {}))
    said = Document(**{**BLANK, "patches": patches, "cases": (case,), "history": history, "shard": "1/2"})
    page = Page(check_page(said))
    assert words(page.all("h2")[0]) == "Series" and words(page.all("h2")[1]) == "Findings"
    assert "1/2 s: brings claim/x 2/2 s: mends claim/x" in words(page.section("series"))
    assert "after patch 1 of 2: brought by 1/2 s, mended by 2/2 s" in page.below("finding-1")
    assert "shard 1/2: a part of the run" in words(page.all("header")[0])
    (note,) = page.by_class("note", "tr")
    assert words(note) == "FINDING does not hold: x holds"


def test_the_time_it_took_stands_at_the_very_end_by_itself() -> None:
    without, timed = (check_page(Document(**BLANK, seconds=seconds)) for seconds in (0.0, 12.34))
    assert timed.replace('<p class="timing">Time: 12.3 s</p>\n', "") == without
    assert words(list(Page(timed).all("footer")[0])[-1]) == "Time: 12.3 s"


# How it looks.


def palettes() -> list[dict[str, str]]:
    found = [
        dict(re.findall(r"--(\w+): (#\w{6});", block))
        for block in re.findall(r":root \{(.*?)\}", style(), re.S)
    ]
    assert len(found) == 2 and found[0].keys() == found[1].keys()
    return found


def luminance(color: tuple[float, ...]) -> float:
    parts = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(tuple(bytes.fromhex(c[1:]))) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_all_inks_are_readable_on_all_grounds(dark: bool) -> None:
    colors = palettes()[dark]
    grounds = ("back", "soft", "marked", "added", "removed")
    poor = {(ink, ground) for ink in ("text", "dim", "link", "bad", "good", "warn") for ground in grounds
            if contrast(colors[ink], colors[ground]) < 4.5}  # fmt: skip
    assert poor == set()


def test_the_style_is_ascii_and_uses_what_it_names() -> None:
    text = (TEMPLATES / "style.css").read_text()
    assert text.isascii() and "</" not in text
    assert set(re.findall(r"var\(--(\w+)\)", text)) == palettes()[0].keys()


@cache
def browser_files() -> tuple[str, str]:
    found = tuple(shutil.which(name) for name in ("chromium", "chromedriver"))
    assert all(found), "Chromium is needed, to look at pages: apt-get install -y chromium chromium-driver"
    return found  # type: ignore[return-value]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Chromium that runs no page's JavaScript; what the tests run in it is the driver's."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    chromium, driver = browser_files()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for name in ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
                 "disable-component-update", "disable-sync", "disable-dev-shm-usage",
                 f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):  # fmt: skip
        options.add_argument(f"--{name}")
    options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    yield made
    made.quit()


def show(browser: Any, page: Page, folder: Path, width: int, scheme: str = "light") -> None:
    """Opens a page in a window of that width, and all that is folded on it."""
    file = folder / "shown.html"
    file.write_text(page.text)
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get("about:blank")
    browser.get_log("performance")  # what was before
    browser.get(f"file://{file}")


UNFOLD = "document.querySelectorAll('details').forEach(d => d.open = true)"
# What is not within its section, but for what scrolls by itself and what nobody sees.
OUT = """
return [...document.querySelectorAll('body *')].filter(e => !e.closest('.vh, .skip')
    && (e.className === 'scroll' || !e.closest('.scroll'))
    && e.getBoundingClientRect().right > document.body.getBoundingClientRect().right + 1)
  .map(e => e.tagName + ' ' + e.className + ': ' + e.textContent.slice(0, 60));
"""
# The text nodes whose contrast with what is behind them is below 4.5, and how many were looked at.
LOOK = """
const lum = c => { const p = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * p[0] + .7152 * p[1] + .0722 * p[2]; };
const parse = s => s.match(/[\\d.]+/g).map(Number);
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), poor = [], seen = new Set();
let count = 0;
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !e.getClientRects().length) continue;
  count++;
  let b = e, back;
  while (b) { const c = parse(getComputedStyle(b).backgroundColor);
    if (c.length < 4 || c[3] === 1) { back = c; break; } b = b.parentElement; }
  const key = getComputedStyle(e).color + back;
  if (seen.has(key)) continue;
  seen.add(key);
  const both = [lum(parse(getComputedStyle(e).color)), lum(back || [255, 255, 255])];
  const [hi, lo] = both.sort((x, y) => y - x);
  if ((hi + .05) / (lo + .05) < 4.5) poor.push([walker.currentNode.data, key]);
}
return [count, poor];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_chromium_without_javascript(scheme: str, browser: Any, any_page: Page, tmp_path: Path) -> None:
    for width in (360, 1280):
        show(browser, any_page, tmp_path, width, scheme)
        browser.execute_script(UNFOLD)
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width  # what is wider scrolls by itself
        assert browser.execute_script(OUT) == []
    back = palettes()[scheme == "dark"]["back"]
    color = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert tuple(map(int, re.findall(r"\d+", color))) == tuple(bytes.fromhex(back[1:]))
    count, poor = browser.execute_script(LOOK)
    assert count > 100 and poor == []
    assert browser.get_log("browser") == []  # the policy would say there what it refused
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {each["params"]["request"]["url"] for each in asked
            if each["method"] == "Network.requestWillBeSent"}  # fmt: skip
    assert urls == {f"file://{tmp_path}/shown.html"}


def test_findings_are_reached_by_keyboard(browser: Any, bundled: tuple[Page, Done], tmp_path: Path) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def press(key: str) -> tuple[str, str]:
        ActionChains(browser).send_keys(key).perform()
        now = browser.switch_to.active_element
        return now.tag_name, (now.get_attribute("href") or "").partition("#")[2]

    def position() -> float:
        return float(browser.execute_script("return scrollY"))

    show(browser, bundled[0], tmp_path, 360)
    assert press(Keys.TAB) == ("a", "main")
    assert browser.switch_to.active_element.is_displayed()  # the skip link shows where it has the focus
    outline = browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    press(Keys.ENTER)
    assert press(Keys.TAB)[1] == page_line(bundled[0], 264)  # of the first finding
    before = position()
    press(Keys.ENTER)
    assert position() > before + 1000
    show(browser, bundled[0], tmp_path, 360)
    order = [press(Keys.TAB) for _ in range(11)]
    assert order[1] == ("summary", "")
    assert order[10] == ("a", page_line(bundled[0], 222))  # a call, in a trace
    assert [href for _, href in order[2:9]] == [h.get("id") for h in bundled[0].all("h2")]
    # A trace that is wider than the window is scrolled by the arrows.
    press(Keys.ARROW_RIGHT)
    moved = "return document.activeElement.closest('.scroll').scrollLeft"
    WebDriverWait(browser, 5).until(lambda _: browser.execute_script(moved) > 0)
