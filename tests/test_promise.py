# SPDX-License-Identifier: GPL-2.0-only
"""What of a message is a promise that nothing changes, in the words of kernel developers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from extractor.mail import read_mails
from extractor.patch import Patch, parse_patch
from extractor.promise import promise, promises
from kernel_snippets import BUNDLED_PATCH


@cache
def bundled() -> Patch:
    return parse_patch(read_mails([str(BUNDLED_PATCH)])[0])


def said(message: str, subject: str = "[PATCH] mm: tidy up foo()") -> list[str]:
    return list(promises(subject, message))


@pytest.mark.parametrize("sentence", [
    "No functional change.",
    "No functional change",
    "No functional changes.",
    "no functional changes intended.",
    "No functional change intended.",
    "No functional changes are intended.",
    "No functional change was intended.",
    "No functional changes have been made.",
    "No functional change expected.",
    "No intended functional change.",
    "No intentional functional changes.",
    "No functional or performance change intended.",
    "No behavioral change.",
    "No behavioural changes intended.",
    "No behavior change intended.",
    "No change in behavior.",
    "No change in functionality intended.",
    "No changes to functionality.",
    "No functionality change.",
    "No functional impact.",
    "No functional difference.",
    "No semantic change.",
    "NFC",
    "NFC.",
    "[NFC]",
    "NFCI.",
    "Use folio_test_foo() in bar(), NFCI.",
    "There should be no functional change.",
    "There is no functional change.",
    "There are no functional changes in this patch.",
    "This is no functional change.",
    "This patch has no functional change.",
    "This patch should have no functional change.",
    "This should cause no functional change.",
    "This patch introduces no functional changes.",
    "Note that there is no functional change.",
    "Should not result in any functional change.",
    "This should not introduce any functional changes.",
    "This patch does not change any functionality.",
    "It doesn't change behavior.",
    "This patch doesn't change behavior.",
    "This shouldn't cause any functional change.",
    "The change does not affect functionality.",
    "The resulting code is functionally equivalent.",
    "This is functionally equivalent to the old code.",
    "Move the definition up, no functional change.",
    "Move the definition up; no functional change intended.",
    "Move foo() to bar.c - no functional change.",
    "Convert the callers to folios with no functional change.",
    "Convert the callers to folios without any functional change.",
    "Rename foo() to bar() without changing behaviour.",
    "Use folio_test_foo() instead of PageFoo(), no functional change.",
    "Just code movement, no functional changes.",
    "In preparation for large folios, factor out foo(), no functional change intended.",
    "No functional change intended, this is preparation for large folios.",
    "Pure cleanup: no functional change.",
    "Use the helper instead of open-coding it.\nNo functional\nchange intended.",
    "foo() is never called with NULL. So there is no functional change.",
])  # fmt: skip
def test_a_promise(sentence: str) -> None:
    assert said(f"Tidy up.\n\n{sentence}\n\nSigned-off-by: A <a@b.c>\n"), sentence


@pytest.mark.parametrize("sentence", [
    "foo() and bar() are not functionally equivalent.",
    "foo() and bar() are functionally equivalent.",
    "The old code and the spec are functionally identical only on 64bit.",
    "We cannot do that without changing behaviour.",
    "There is no way to do that without changing behaviour.",
    "This allows to move the lock without functional changes.",
    "Callers can later be converted without functional change.",
    "Commit abc claimed no functional change, but it broke foo().",
    "Commit abc claimed no functional change.",
    "Since commit 0123456789ab (\"mm: x\") there is no functional change.",
    "The previous patch was no functional change.",
    "The next patch has no functional change.",
    "Callers must not change the behaviour of the lock.",
    "Setting the flag does not change behaviour.",
    "foo() does not change the behaviour of the lock.",
    "This does not change the behaviour of the lock.",
    "Unless CONFIG_X is set, there is no functional change.",
    "There is no functional change if CONFIG_X is off.",
    "There is no functional change when the flag is clear.",
    "No functional change as long as the flag is clear.",
    "There are no functional changes for 4K page size.",
    "For 4K page size, there is no functional change.",
    "On x86, no functional change.",
    "No functional change on x86.",
    "No functional change in foo().",
    "No functional changes to the driver.",
    "No functional change intended, except for the warning.",
    "No functional change intended apart from the warning.",
    "No functional change intended. Except that the warning is gone.",
    "No functional change, but foo() is faster.",
    "No other functional change.",
    "Otherwise no functional change.",
    "Almost no functional change.",
    "Hopefully no functional change.",
    "This would be no functional change.",
    "This is not a \"no functional change\" patch.",
    "Not a no functional change patch.",
    "This is functional.",
    "Is there no functional change?",
    "There is no functional difference between foo() and bar().",
    "Users that have no functional change to make are left alone.",
    "v2: no functional change.",
    "Patch 1 is no functional change.",
    "No functional change until the next patch.",
    "> No functional change.",
    "| No functional change.",
    "Support Bluetooth, NFC, and GPS.",
    "Support Bluetooth, GPS, NFC.",
    "Add near field communication (NFC).",
    "Update drivers for usb, nfc, and pci.",
    "The function has no functional changes section.",
])  # fmt: skip
def test_no_promise(sentence: str) -> None:
    assert not said(f"Fix it up.\n\n{sentence}\n\nSigned-off-by: A <a@b.c>\n"), sentence


@pytest.mark.parametrize(("subject", "found"), [
    ("[PATCH] [NFC] mm: move foo()", True),
    ("[PATCH 1/2] mm: move foo() [NFC]", True),
    ("[PATCH] mm: move foo(), no functional change", True),
    ("[PATCH] nfc: pn533: fix", False),
    ("[PATCH] NFC: pn533: fix", False),
    ("[PATCH net] nfc: pn533: support [NFC]", False),
    ("[PATCH] mm: fix functional change", False),
])  # fmt: skip
def test_of_a_subject(subject: str, found: bool) -> None:
    assert bool(said("Do it.\n", subject)) == found


def test_trailers_are_no_part_of_a_sentence() -> None:
    assert said("Tidy up.\n\nNo functional change\nSigned-off-by: A <a@b.c>\n") == ["No functional change"]


def test_of_a_series_each_patch_has_to_promise() -> None:
    kept = replace(bundled(), message="No functional change.\n")
    assert promise([kept, kept]) == "No functional change."
    assert not promise([kept, replace(bundled(), message="Fix it.\n")])
    assert not promise([])


@pytest.mark.parametrize("text", [
    "no " + "intended " * 50_000, "no visible " * 50_000, "no functional change and " * 20_000,
    "this is " * 20_000 + "no functional change " * 5_000, "- " * 100_000 + "no functional change",
    "no functional change" + " is" * 100_000, "[NFC" * 50_000, "without any " * 50_000, "patch " * 100_000,
    "no functional change. " * 20_000, "(" * 200_000,
])  # fmt: skip
def test_long_text_ends_soon(text: str) -> None:
    said(text)
    said("x", text)


def test_a_cover_letter_promises_for_all_of_its_patches() -> None:
    silent = replace(bundled(), subject="[PATCH 1/2] mm: tidy up foo()", message="It is tidier so.")
    cover = "[PATCH 0/2] mm: tidy up\n\nThis tidies up. No functional change intended.\n"
    assert promise([silent, silent]) == ""
    assert promise([silent, silent], cover) == "No functional change intended."
    assert promise([silent], "[PATCH 0/2] mm: tidy up\n\nNo functional change in patch 1.\n") == ""
