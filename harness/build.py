# SPDX-License-Identifier: GPL-2.0-only
"""Compiles subjects and the engine, under limits; finished objects are cached by their content."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from extractor.slice import FORBIDDEN
from harness.errors import HarnessError
from harness.render import Rendered
from kernel_snippets import INCLUDE

NATIVE = Path(__file__).resolve().parent / "native"
# The kernel's language (Makefile of Linux 6.12) and the warnings that it enables.
DIALECT = [
    "-std=gnu11",
    "-fms-extensions",
    "-fno-strict-aliasing",
    "-fno-strict-overflow",
    "-funsigned-char",
    "-fno-delete-null-pointer-checks",
    "-fno-common",
    "-nostdinc",
    "-D__KERNEL__",
]
WARNINGS = [
    "-Wall",
    "-Wundef",
    "-Wvla",
    "-Werror=implicit-function-declaration",
    "-Werror=implicit-int",
    "-Werror=return-type",
    "-Werror=incompatible-pointer-types",
    "-Werror=int-conversion",
    "-Wno-trigraphs",
    "-Wno-sign-compare",
    "-Wno-pointer-sign",
    "-Wno-unused-function",
    "-Wno-unused-but-set-variable",
    "-Wno-unused-value",
    "-Wno-address-of-packed-member",
]
CODE = ["-O2", "-fPIC", "-fvisibility=hidden", "-g1", "-pipe"]
LINK = ["-shared", "-nostdlib", "-Wl,-z,defs", "-Wl,--build-id=none"]
ENGINE = ["-std=gnu11", "-O2", "-fPIC", "-shared", "-pipe"]
# Native C below a slice: no libc there either, and never instrumented.
BELOW = ["-std=gnu11", "-O2", "-fPIC", "-fvisibility=hidden", "-fno-stack-protector", "-pipe"]
COMPILER_SECONDS, COMPILER_BYTES, FILE_BYTES = 20, 2 << 30, 64 << 20
DIAGNOSTIC = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):\d+: (?P<kind>(?:fatal )?error|warning): (?P<text>.*)$", re.M
)


@dataclass(frozen=True)
class Flavour:
    """One way to build a subject: flags for its code and its linking, native C linked in as it is."""

    name: str
    code: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


PLAIN = Flavour("plain")


@dataclass(frozen=True)
class Diagnostic:
    """One message of the compiler; file and line are the patch's where the text is."""

    file: str
    line: int
    error: bool
    text: str


@dataclass(frozen=True)
class Built:
    """A compiled subject: its shared object, the folder with its sources, the compiler's warnings."""

    library: Path
    folder: Path
    warnings: tuple[Diagnostic, ...]


class CompileError(HarnessError):
    """The compiler refused a subject; `diagnostics` say where."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...], output: str) -> None:
        first = next((d for d in diagnostics if d.error), None)
        where = f"{first.file}:{first.line}: error: {first.text}" if first else output.strip()[:300]
        super().__init__(where or "the compiler failed without a word")
        self.diagnostics = diagnostics


@cache
def compiler() -> str:
    """The path of the C compiler: $CC, else gcc."""
    wanted = os.environ.get("CC") or "gcc"
    found = shutil.which(wanted)
    if not found:
        raise HarnessError(f"no C compiler: {wanted} is not installed; install the package gcc")
    return found


@cache
def compiler_version() -> str:
    """The first line of the compiler's --version."""
    done = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0]


def cache_folder() -> Path:
    """Where compiled objects are kept: $XDG_CACHE_HOME/kconform."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "kconform"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"kconform-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _limits() -> None:
    """Runs in the compiler's process: a stranger's C may ask for anything."""
    resource.setrlimit(resource.RLIMIT_CPU, (COMPILER_SECONDS, COMPILER_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (COMPILER_BYTES, COMPILER_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_compiler(arguments: Sequence[str | Path], folder: Path) -> tuple[int, str]:
    """Exit status and messages of the compiler, run in `folder` under limits."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TMPDIR": str(folder)}
    try:
        done = subprocess.run(
            [compiler(), *map(str, arguments)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_limits,
            timeout=COMPILER_SECONDS * 2,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, f"the compiler took more than {COMPILER_SECONDS * 2} s"
    return done.returncode, done.stdout.decode("utf-8", "replace")


def diagnostics(output: str) -> tuple[Diagnostic, ...]:
    """The errors and warnings in a compiler's output."""
    return tuple(
        Diagnostic(m["file"], int(m["line"]), "error" in m["kind"], m["text"])
        for m in DIAGNOSTIC.finditer(output)
    )


def config_flags(config: dict[str, bool]) -> list[str]:
    """-D flags for the options that are set."""
    return [f"-D{name}=1" for name, value in sorted(config.items()) if value]


def engine_library() -> Path:
    """The engine as a shared object, compiled on first use."""
    sources = [NATIVE / name for name in ("engine.c", "guard.c", "sandbox.c", "shadow.c")]
    inputs = [*sources, *sorted(NATIVE.glob("*.h")), INCLUDE / "kconform/record.h"]
    key = digest([compiler_version(), *ENGINE, *(p.read_text() for p in inputs)])
    library = cache_folder() / f"engine-{key}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=cache_folder()) as name:
            made = Path(name) / "engine.so"
            status, output = run_compiler(
                [*ENGINE, "-I", NATIVE, "-idirafter", INCLUDE, *sources, "-o", made], Path(name)
            )
            if status:
                raise HarnessError(f"the engine does not compile: {output.strip()[:300]}")
            made.replace(library)
    return library


def digest(parts: Sequence[str]) -> str:
    """A short hash of texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def write_sources(rendered: Rendered, folder: Path) -> None:
    """Puts a subject's sources into `folder`."""
    for name, text in rendered.overlays.items():
        path = folder / "include" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "subject.c").write_text(rendered.subject)


def below(flavour: Flavour) -> list[Path]:
    """The native objects that a flavour links in, compiled on first use."""
    return [_below(name) for name in flavour.sources]


def _below(name: str) -> Path:
    inputs = [NATIVE / name, *sorted(NATIVE.glob("*.h")), INCLUDE / "kconform/record.h"]
    key = digest([compiler_version(), *BELOW, *(p.read_text() for p in inputs)])
    made = cache_folder() / f"{Path(name).stem}-{key}.o"
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            new = Path(folder) / "below.o"
            status, output = run_compiler(
                [*BELOW, "-I", NATIVE, "-idirafter", INCLUDE, "-c", NATIVE / name, "-o", new], Path(folder)
            )
            if status:
                raise HarnessError(f"{name} does not compile: {output.strip()[:300]}")
            new.replace(made)
    return made


def build(rendered: Rendered, config: dict[str, bool], folder: Path, flavour: Flavour = PLAIN) -> Built:
    """Compiles `rendered` in `folder`; CompileError with the patch's lines where gcc refuses it."""
    write_sources(rendered, folder)
    prefixes = [f"-ffile-prefix-map={INCLUDE}=kernel_snippets/include", f"-ffile-prefix-map={folder}/="]
    includes: list[str | Path] = ["-I", folder / "include", "-I", INCLUDE, "-I", NATIVE]
    flags: list[str | Path] = [*DIALECT, *WARNINGS, *CODE, *flavour.code, *config_flags(config), *prefixes]
    status, output = run_compiler([*flags, *includes, "-E", "subject.c", "-o", "subject.i"], folder)
    if not status:
        refuse_unsafe_text((folder / "subject.i").read_text(errors="replace"))
        status, output = run_compiler(
            [*flags, "-fpreprocessed", "subject.i", "-x", "none", *below(flavour), *LINK, *flavour.link,
             "-o", "subject.so"],
            folder,
        )  # fmt: skip
    said = diagnostics(output)
    if status:
        raise CompileError(said, output)
    return Built(folder / "subject.so", folder, tuple(d for d in said if not d.error))


def refuse_unsafe_text(preprocessed: str) -> None:
    """HarnessError where macros made what extraction refuses to see in the patch's own text."""
    file, line = "", 0
    for text in preprocessed.split("\n"):
        marker = re.match(r'# (\d+) "([^"]*)"', text)
        if marker:
            file, line = marker.group(2), int(marker.group(1))
            continue
        match = FORBIDDEN.search(text)
        if match:
            what = "inline assembly" if match["asm"] else f"attribute {match['attribute']}"
            raise HarnessError(f"{file}:{line}: error: {what}, which is not compiled for a check")
        line += 1
