# SPDX-License-Identifier: GPL-2.0-only
"""What every page has in common: templates that escape all they are given, and the style with its hash."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
# What no page may hold (controls, surrogates, noncharacters), and what makes text read other than it is
# (bidirectional controls, zero width): shown as their code, since a patch's text is a stranger's.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
    "|[\ufffe\uffff]|[\U0001fffe-\U0001ffff\U0002fffe-\U0002ffff\U0010fffe-\U0010ffff]"
)


def visible(value: object) -> object:
    """A value for a template, with the characters that nobody sees as `<U+202E>`."""
    if hasattr(value, "__html__"):  # a macro's, of which all values were seen here before
        return value
    return UNSEEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", str(value))


@cache
def environment() -> jinja2.Environment:
    """The templates; undefined names are errors."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["number"] = lambda value: f"{value:,}"
    return made


@cache
def style() -> str:
    """The style sheet, without its comments and indentation."""
    text = re.sub(r"/\*.*?\*/", "", (TEMPLATES / "style.css").read_text(), flags=re.S)
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


def render_page(name: str, **given: object) -> str:
    """One page, in ASCII: what is not is written as references, so that no encoding damages it.

    The policy lets no style in but the page's own, by its hash, and nothing else at all.
    """
    css = style()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    page = environment().get_template(name).render(style=Markup(css), digest=digest, **given)
    return page.encode("ascii", "xmlcharrefreplace").decode()
