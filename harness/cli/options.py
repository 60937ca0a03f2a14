# SPDX-License-Identifier: GPL-2.0-only
"""Options that several commands have: how argparse reads them, and what they come to."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.whole_file import unnamed

if TYPE_CHECKING:  # `extract` needs none of what a check imports, and starts faster without it
    from harness.driver import Limits
    from harness.interleave.run import Asked

NAMES = ("text", "json", "ktap", "junit", "sarif", "b4", "mail", "html")
PLAIN = ("text", "mail")
# In a stranger's text, what drives a terminal or turns the direction of what is read; not our colours.
UNSHOWN = re.compile(
    "(?!\x1b\\[(?:1;3[123]|0)m)"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def add_tree(command: argparse.ArgumentParser) -> None:
    """The options of commands that know kernel trees."""
    command.add_argument("--tree", metavar="DIR", help="a kernel tree: what the patch is on, or is checked")
    command.add_argument("--rev", metavar="REV", help="of the git repository that --tree is")
    command.add_argument("--range", metavar="BASE..HEAD", help="its commits as the patches, on BASE")
    command.add_argument("--kconfig", metavar="FILE", help="a .config; default: of x86-64, with mm's options")


def add_config(command: argparse.ArgumentParser) -> None:
    """Another configuration."""
    command.add_argument("--config", action="append", default=[], metavar="CONFIG_X=y|n")


def add_series(command: argparse.ArgumentParser) -> None:
    """What of a series is read."""
    command.add_argument("--latest", action="store_true", help="of each patch of a series its last version")
    command.add_argument("--prefix", type=count, metavar="K", help="only the first K patches of a series")


def add_report(command: argparse.ArgumentParser, what: str = "report") -> None:
    """The form and place of what is printed."""
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.add_argument("-o", "--output", metavar="FILE", help=f"write the {what} there")


def add_formats(command: argparse.ArgumentParser) -> None:
    """The forms and places of a report that people, CI systems and mail readers read."""
    command.add_argument("--format", type=form, action="append", default=[], metavar="NAME[:FILE]",
                         help=f"{', '.join(NAMES)}; repeatable, with a FILE but for one")  # fmt: skip
    command.add_argument("-o", "--output", metavar="FILE", help="write what has no FILE there")


def form(text: str) -> tuple[str, str]:
    """A format's name and its file ("" for none), for argparse."""
    name, colon, file = text.partition(":")
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"{name} is no format; there are {', '.join(NAMES)}")
    if colon and not file:
        raise argparse.ArgumentTypeError(f"{text} names no file; give it as {name}:FILE, or {name} alone")
    return name, file


def forms(options: argparse.Namespace) -> list[tuple[str, str]]:
    """The formats that are asked for; beside files alone, the text goes to standard output."""
    asked: list[tuple[str, str]] = list(options.format)
    bare = [name for name, file in asked if not file]
    if len(bare) > 1:
        place = options.output or "standard output"
        raise HarnessError(f"--format {bare[0]} and --format {bare[1]} would both go to {place}: "
                           f"give one a file, as {bare[1]}:FILE")  # fmt: skip
    files = [file for _, file in asked if file] + ([options.output] if options.output else [])
    if baseline := getattr(options, "write_baseline", None):
        files.append(baseline)
    places = [os.path.realpath(file) for file in files]
    if twice := next((f for f, place in zip(files, places, strict=True) if places.count(place) > 1), ""):
        raise HarnessError(f"{twice} would be written twice: give each format a file of its own")
    for file in files:
        if not Path(file).absolute().parent.is_dir():
            raise HarnessError(f"{file}: error: there is no folder {Path(file).parent}; make it first")
    return asked if bare else [("text", ""), *asked]


def wants(options: argparse.Namespace, name: str) -> bool:
    """Whether a format is asked for."""
    return any(asked == name for asked, _ in options.format)


def write_forms(options: argparse.Namespace, makers: Mapping[str, Callable[[], str]]) -> None:
    """Each format that is asked for, to its place."""
    for name, file in forms(options):
        if name not in makers:
            raise HarnessError(f"--format {name} is not made of {options.command}: "
                               f"{', '.join(makers)} are")  # fmt: skip
        text = makers[name]()
        if name in PLAIN:
            text = UNSHOWN.sub("?", text)
        if file:
            put(file, text)
        else:
            write(options, text)
        options.written = (*getattr(options, "written", ()), name)


def put(file: str, text: str) -> None:
    """A file's new text, whole or not at all; what is no plain file is written to as it is."""
    path = Path(file)
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8", errors="replace")
        return
    target = path.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else None
    with unnamed(target.parent, text, "replace", mode) as made:
        os.replace(made, target)


def add_baseline(command: argparse.ArgumentParser) -> None:
    """Findings that are known."""
    command.add_argument("--baseline", metavar="FILE", help="findings that are known and fail no run")
    command.add_argument("--write-baseline", metavar="FILE", help="write this run's findings there")
    command.add_argument(
        "--reason", default="", metavar="TEXT", help="why those that are new to it are known"
    )


def add_shard(command: argparse.ArgumentParser) -> None:
    """A part of a run."""
    command.add_argument("--shard", type=shard, metavar="K/N", help="only the K-th of N parts of the run")


def shard(text: str) -> tuple[int, int]:
    """A shard's number and how many there are, for argparse."""
    number, slash, of = text.partition("/")
    if not (slash and number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of) <= 1000):
        raise argparse.ArgumentTypeError(f"{text} is no shard; give it as K/N, with K from 1 to N")
    return int(number), int(of)


def add_effort(command: argparse.ArgumentParser) -> None:
    """How far a run goes."""
    command.add_argument("--bound", action="append", default=[], metavar="NAME=N")
    command.add_argument("--walk", type=count, default=300_000, metavar="N", help="calls of random walks")
    command.add_argument("--seed", type=seed, default=1, metavar="N", help="of the walks")
    command.add_argument("--time", type=amount, default=20.0, metavar="SECONDS", help="for exploration")
    command.add_argument("--memory", type=megabytes, default=1024, metavar="MB", help="for its states")


def add_threads(command: argparse.ArgumentParser) -> None:
    """What runs at the same time."""
    command.add_argument(
        "--interleave",
        type=shapes,
        metavar="THREADSxOPS[,…]|off",
        help="beside 2x1, 2x2 and 3x1",
    )
    command.add_argument(
        "--memory-model",
        choices=("sc", "tso", "relaxed"),
        default="sc",
        help="also with stores that are delayed",
    )
    command.add_argument(
        "--excuse", type=excuses, default=(), metavar="NAME[,…]",
        help="data races that KCSAN would not report: plain-writes-atomic, value-unchanged",
    )  # fmt: skip
    command.add_argument(
        "--stress", type=amount, default=0.0, metavar="SECONDS", help="on real threads as well"
    )


def shapes(text: str) -> tuple[tuple[int, int], ...]:
    """Threads and calls, for argparse; none for off."""
    if text == "off":
        return ()
    found = re.fullmatch(r"[1-9]x[1-9](,[1-9]x[1-9])*", text)
    made = tuple((int(one[0]), int(one[2])) for one in text.split(",")) if found else ()
    if not found or any(not 2 <= threads <= 4 or threads * calls > 8 for threads, calls in made):
        raise argparse.ArgumentTypeError(f"{text} is not like 2x3: from 2 to 4 threads, with 8 calls in all")
    return made


def excuses(text: str) -> tuple[str, ...]:
    """Names of KCSAN's leniencies, for argparse."""
    names = tuple(text.split(","))
    known = ("plain-writes-atomic", "value-unchanged")
    if strange := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"{strange[0]} is no excuse for a race: {' or '.join(known)}")
    return names


def threads_of(options: argparse.Namespace) -> Asked | None:
    """What runs at the same time; None for nothing."""
    from harness.interleave.run import DEFAULT_STEPS, SHAPES, Asked

    wanted = options.interleave
    if wanted == ():
        if options.memory_model != "sc" or options.stress or options.excuse:
            raise HarnessError(
                "--interleave off: nothing runs at the same time for --memory-model, --excuse and --stress"
            )
        return None
    return Asked(
        tuple(dict.fromkeys((*SHAPES, *(wanted or ())))),
        options.memory_model,
        0 if wanted else DEFAULT_STEPS,
        bool(wanted),
        options.excuse,
        options.stress,
        options.seed,
    )


def count(text: str) -> int:
    """A whole number that is not negative, for argparse."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not a number")
    return int(text)


def megabytes(text: str) -> int:
    """An amount of memory, for argparse."""
    if not 1 <= count(text) <= 1 << 20:
        raise argparse.ArgumentTypeError(f"{text} is not a number of MB from 1 to {1 << 20}")
    return int(text)


def seed(text: str) -> int:
    """A 64-bit number, for argparse."""
    if count(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"{text} has more than 64 bits")
    return int(text)


def jobs(text: str) -> int:
    """A number of processes, for argparse."""
    if not 1 <= count(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 64")
    return int(text)


def processors() -> int:
    """How many processors this process may use."""
    return min(len(os.sched_getaffinity(0)), 64)


def amount(text: str) -> float:
    """A number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def pairs(words: Sequence[str], what: str) -> dict[str, str]:
    """NAME=VALUE options as a mapping."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or not value:
            raise HarnessError(f"{what} {word}: give it as NAME=VALUE")
        found[name] = value
    return found


def config_of(words: Sequence[str]) -> dict[str, bool]:
    """--config options; the values are y and n."""
    config: dict[str, bool] = {}
    for name, value in pairs(words, "--config").items():
        if value not in ("y", "n") or not name.startswith("CONFIG_") or not name.isidentifier():
            raise HarnessError(f"--config {name}={value}: give it as CONFIG_X=y or CONFIG_X=n")
        config[name] = value == "y"
    return config


def bounds_of(words: Sequence[str]) -> dict[str, int]:
    """--bound options; the values are numbers."""
    bounds: dict[str, int] = {}
    for name, value in pairs(words, "--bound").items():
        if not value.isdigit():
            raise HarnessError(f"--bound {name}={value}: {value} is not a number")
        bounds[name] = int(value)
    return bounds


def limits_of(options: argparse.Namespace) -> Limits:
    """What an exploration may take."""
    from harness.driver import Limits

    return Limits(megabytes=options.memory, seconds=options.time)


def traces_folder(name: str | None) -> Path | None:
    """The folder of saved traces, made where it is missing."""
    if name is None:
        return None
    folder = Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def colored(options: argparse.Namespace) -> bool:
    """Whether the report goes to a terminal that shows colours."""
    return not options.output and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def write(options: argparse.Namespace, text: str) -> None:
    """A report to its file, or to standard output."""
    if options.output:
        put(options.output, text)
    else:
        with contextlib.suppress(AttributeError):  # a stream of a test
            sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        sys.stdout.write(text)
