# SPDX-License-Identifier: GPL-2.0-only
"""Compiles subjects and the engine, under limits; finished objects are cached by their content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from extractor.attributes import unsafe
from harness import worker
from harness.errors import HarnessError
from harness.object_file import refuse_unsafe_object
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
# Records whose layout is broken are still driven; what is wrong with them, harness/static/layout.py says.
LENIENT = "-DKC_NO_LAYOUT_ASSERTS"
WARNINGS = [
    "-Wall",
    "-Wundef",
    "-Wvla",
    "-Werror=implicit-function-declaration",
    "-Werror=implicit-int",
    "-Werror=return-type",
    "-Werror=incompatible-pointer-types",
    "-Werror=int-conversion",
    "-Werror=trampolines",
    "-Wno-trigraphs",
    "-Wno-sign-compare",
    "-Wno-pointer-sign",
    "-Wno-unused-function",
    "-Wno-unused-but-set-variable",
    "-Wno-unused-value",
    "-Wno-address-of-packed-member",
]
CODE = ["-fPIC", "-fvisibility=hidden", "-g1", "-pipe"]
# A function called _init or _fini would run when a library is loaded or left: no name means these here.
NOTHING = "kc_no_such_function"
LINK = ["-shared", "-nostdlib", "-Wl,-z,defs", "-Wl,-Bsymbolic", "-Wl,--build-id=none",
        f"-Wl,-init={NOTHING}", f"-Wl,-fini={NOTHING}"]  # fmt: skip
ENGINE = ["-std=gnu11", "-O3", "-fPIC", "-fvisibility=hidden", "-shared", "-pipe"]
# Native C below a slice: no libc there either, and never instrumented.
BELOW = ["-std=gnu11", "-O2", "-fPIC", "-fvisibility=hidden", "-fno-stack-protector", "-pipe"]
COMPILER_SECONDS, COMPILER_BYTES, FILE_BYTES = 20, 2 << 30, 64 << 20
WAIT_SECONDS = 120  # on a busy machine a compiler gets little of it
DIAGNOSTIC = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):\d+: (?P<kind>(?:fatal )?error|warning): (?P<text>.*)$", re.M
)


@dataclass(frozen=True)
class Flavour:
    """One way to compile a subject: gcc flags, linker flags, and the native C files linked into it.

    `sources` are names below harness/native; they are compiled as the engine's C is, without `code`.
    """

    name: str
    code: tuple[str, ...]
    link: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    compile_only: bool = False  # to assembly, which nothing runs
    constructors: int = 0  # that gcc itself makes: of a sanitizer, to know of variables


PLAIN = Flavour("plain", ("-O2",))
# Where few calls are made the compiler takes longer than they do.
QUICK = Flavour("plain", ("-O1",))


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


class RefusedError(HarnessError):
    """Preprocessed text that must not be compiled; `file` and `line` say where it comes from."""

    def __init__(self, file: str, line: int, what: str) -> None:
        super().__init__(f"{file}:{line}: error: {what}, which is not compiled for a check")
        self.file, self.line, self.what = file, line, what


class CompileError(HarnessError):
    """The compiler refused a subject; `diagnostics` say where."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...], output: str) -> None:
        first = next((d for d in diagnostics if d.error), None)
        said = re.search(r"^.*(?:\berror\b|\bld: ).*$", output, re.M)  # gcc's warnings may go before
        where = f"{first.file}:{first.line}: error: {first.text}" if first else output.strip()[:300]
        if not first and said:
            where = said[0].strip()[:300]
        self.undefined = frozenset(re.findall(r"undefined reference to `(\w+)'", output))
        if self.undefined:
            where = f"no shim for {', '.join(sorted(self.undefined))}"
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


def limits() -> None:
    """Runs in the compiler's process: a stranger's C may ask for anything."""
    worker.end_with_parent()
    resource.setrlimit(resource.RLIMIT_CPU, (COMPILER_SECONDS, COMPILER_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (COMPILER_BYTES, COMPILER_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Compiling:
    """A compiler that runs in `folder` under limits, beside us; `out` takes its standard output."""

    def __init__(self, arguments: Sequence[str | Path], folder: Path, out: Path | None = None) -> None:
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TMPDIR": str(folder)}
        self.deadline = time.monotonic() + WAIT_SECONDS
        self.done: tuple[int, str] | None = None
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 (closed by finish)
        with contextlib.ExitStack() as opened:
            self.process = subprocess.Popen(
                [compiler(), *map(str, arguments)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=opened.enter_context(out.open("wb")) if out else self.said,
                stderr=self.said,
                preexec_fn=limits,
            )

    def finish(self) -> tuple[int, str]:
        """Exit status and messages, when it is done; the same to whoever asks again."""
        if self.done is None:
            self.done = self.wait()
        return self.done

    def wait(self) -> tuple[int, str]:
        """As finish(), once."""
        try:
            wait_for(self.process, max(self.deadline - time.monotonic(), 0.1))
            status = self.process.wait(0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return 1, f"the compiler took more than {WAIT_SECONDS} s; try again when the machine is less busy"
        with self.said:
            self.said.seek(0)
            return status, self.said.read().decode("utf-8", "replace")


def wait_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Until a process has ended, or for so long: Popen.wait() would look every 50 ms."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:  # it is gone, or the kernel has none
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        return
    try:
        select.select([handle], [], [], seconds)
    finally:
        os.close(handle)


def run_compiler(arguments: Sequence[str | Path], folder: Path, out: Path | None = None) -> tuple[int, str]:
    """Exit status and messages of the compiler, run in `folder` under limits."""
    return Compiling(arguments, folder, out).finish()


def diagnostics(output: str) -> tuple[Diagnostic, ...]:
    """The errors and warnings in a compiler's output."""
    return tuple(
        Diagnostic(m["file"], int(m["line"]), "error" in m["kind"], m["text"])
        for m in DIAGNOSTIC.finditer(output)
    )


def config_flags(config: dict[str, bool]) -> list[str]:
    """-D flags for the options that are set."""
    return [f"-D{name}=1" for name, value in sorted(config.items()) if value]


class Cached:
    """An object of our own, compiled on first use and kept by what it was made from."""

    def __init__(self, name: str, sources: Sequence[Path], arguments: Sequence[str | Path],
                 inputs: Sequence[str], folder: Path, suffix: str = "so") -> None:  # fmt: skip
        key = digest([compiler_version(), *map(str, arguments), *inputs])
        self.path = cache_folder() / f"{name}-{key}.{suffix}"
        self.made = folder / self.path.name
        self.compiling = None
        if not self.path.exists():
            self.compiling = Compiling([*arguments, *sources, "-o", self.made], folder)

    def finish(self) -> Path:
        """The object, when it is compiled."""
        if self.compiling:
            status, output = self.compiling.finish()
            if status:
                raise HarnessError(f"{self.path.name} does not compile: {output.strip()[:300]}")
            self.made.replace(self.path)
            self.compiling = None
        return self.path


def engine_library(folder: Path, pairs: bool = False) -> Cached:
    """The engine; with `pairs`, what drives two revisions together as well."""
    inputs = [*sorted(NATIVE.glob("*.[ch]")), INCLUDE / "kconform/record.h"]
    arguments: list[str | Path] = [*ENGINE, "-I", NATIVE, "-idirafter", INCLUDE]
    name = "pair" if pairs else "engine"
    return Cached(name, [NATIVE / f"{name}.c"], arguments, [p.read_text() for p in inputs], folder)


def contract_library(text: str, folder: Path, flavour: Flavour = PLAIN) -> Cached:
    """A translated contract, whose C is `text`; optimised as far as its subject is."""
    source = folder / f"contract-{digest([text])}.c"
    source.write_text(text)
    inputs = [text, (NATIVE / "subject.h").read_text()]
    # General registers: states are arrays that are written a value at a time, and a wide load that
    # spans several fresh stores waits for them (a fifth of an exploration's time on x86-64).
    less = flavour.code if flavour == QUICK else ()
    arguments: list[str | Path] = [*ENGINE, *less, "-mgeneral-regs-only", "-I", NATIVE]
    return Cached("contract", [source], arguments, inputs, folder)


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
    if rendered.beyond:
        (folder / "beyond.c").write_text(rendered.beyond)


class Building:
    """A subject that is being compiled in `folder`, beside us: preprocessed, looked at, then compiled."""

    def __init__(self, folder: Path, name: str, config: dict[str, bool], flavour: Flavour) -> None:
        self.folder = folder
        self.library = folder / f"{name}.{'s' if flavour.compile_only else 'so'}"
        prefixes = [
            f"-ffile-prefix-map={INCLUDE}=kernel_snippets/include",
            f"-ffile-prefix-map={folder}/=",
        ]
        includes: list[str | Path] = ["-I", folder / "include", "-I", INCLUDE, "-I", NATIVE]
        flags: list[str | Path] = [
            *DIALECT, LENIENT, *WARNINGS, *CODE, *flavour.code, *config_flags(config), *prefixes,
        ]  # fmt: skip
        self.flags, self.flavour, self.text = flags, flavour, folder / f"{name}.i"
        self.preprocessing = Compiling([*flags, *includes, "-E", f"{name}.c", "-o", self.text.name], folder)
        self.objects = [native_object(source, folder) for source in flavour.sources]
        self.beyond: Compiling | None = None
        if (folder / "beyond.c").exists() and not flavour.compile_only:
            below: list[str | Path] = [*BELOW, "-fno-builtin", "-w", "-idirafter", INCLUDE]
            self.beyond = Compiling([*below, "-c", "beyond.c", "-o", "beyond.o"], folder)
        self.compiling: Compiling | None = None

    def compile(self) -> Compiling:
        """Goes on to the compiler proper, once; CompileError for what the preprocessor refuses."""
        if self.compiling:
            return self.compiling
        status, output = self.preprocessing.finish()
        if status:
            raise CompileError(diagnostics(output), output)
        text = read_preprocessed(self.text)
        refuse_unsafe_text(text, self.folder)
        if self.flavour in (PLAIN, QUICK):  # of others, also what the code costs as it is may be asked
            self.text.write_bytes(one_copy(text).encode("ascii", "surrogateescape"))
        objects = [made.finish() for made in self.objects]
        if self.beyond:
            status, output = self.beyond.finish()
            if status:
                raise CompileError(diagnostics(output), output)
            objects.append(self.folder / "beyond.o")
        last = ["-S"] if self.flavour.compile_only else ["-x", "none", *objects, *LINK, *self.flavour.link]
        whole = [*self.flags, "-fpreprocessed", self.text.name, *last, "-o", self.library]
        self.compiling = Compiling(whole, self.folder)
        return self.compiling

    def finish(self) -> Built:
        """The compiled subject; CompileError with the patch's lines where gcc refuses it."""
        status, output = self.compile().finish()
        said = diagnostics(output)
        if status:
            raise CompileError(said, output)
        if not self.flavour.compile_only:
            refuse_unsafe_object(self.library, self.flavour.constructors)
        return Built(self.library, self.folder, tuple(d for d in said if not d.error))


UNDER_WAY: dict[str, Cached] = {}  # native objects that several subjects wait for


def native_object(source: str, folder: Path) -> Cached:
    """A native C file of a flavour, compiled as it is: nothing of the flavour's flags is for it."""
    arguments: list[str | Path] = [*BELOW, "-I", NATIVE, "-idirafter", INCLUDE, "-c"]
    inputs = [NATIVE / source, *sorted(NATIVE.glob("*.h")), INCLUDE / "kconform/record.h"]
    texts = [path.read_text() for path in inputs]
    waiting = UNDER_WAY.get(source)
    if not waiting or not waiting.compiling or not waiting.made.parent.exists():
        waiting = Cached(Path(source).stem, [NATIVE / source], arguments, texts, folder, "o")
        UNDER_WAY[source] = waiting
    return waiting


def build(rendered: Rendered, config: dict[str, bool], folder: Path, flavour: Flavour = PLAIN) -> Building:
    """Begins to compile `rendered` in `folder`."""
    write_sources(rendered, folder)
    return Building(folder, "subject", config, flavour)


# How gcc -E says where the text is from. What a macro makes never stands so: a blank goes before it.
MARKER = re.compile(r'^# (\d+) "((?:[^"\\\n]|\\.)*)"((?: \d)*)[^\n]*$', re.M)
PRAGMA = re.compile(r"#[ \t]*pragma[ \t]+(?:once|push_macro|pop_macro)\b")
TEXT = r"\"(?:\\[^\n]|[^\"\\\n])*\"|'(?:\\[^\n]|[^'\\\n])*'"
# Outside of strings: a directive, text that goes on, a string without an end, an end of a line that
# another reader might not take for one.
ODD = re.compile(rf"{TEXT}|(?P<hash>(?:#|%:)[^\n]*)|(?P<odd>[\\\"'\r])")
NAMES = {"\\": "a backslash outside of a string", "\r": "a carriage return"}


def refuse_unsafe_text(preprocessed: str, folder: Path) -> None:
    """HarnessError where macros made what extraction refuses to see in the patch's own text.

    Also where a file was included that is neither below `folder` nor one of kconform's own.
    """
    # As -ffile-prefix-map shows them, and as they are.
    ours = ("include/", "kernel_snippets/include/", "<", *(f"{path}/" for path in (folder, INCLUDE, NATIVE)))
    for marker in MARKER.finditer(preprocessed):
        file = marker[2]
        if " 1" in marker[3] and (not file.startswith(ours) or "/../" in file):
            raise HarnessError(f"the patch includes {file}, which is no header of a kernel")
    text = MARKER.sub(lambda marker: " " * len(marker[0]), preprocessed)
    found = [*islice(unsafe(text, expanded=True), 1), *islice(odd(text), 1)]
    if found:
        at, what = min(found)
        raise RefusedError(*place(preprocessed, at), what)


# What code asks of the optimiser once functions are in their callers.
ASKED = re.compile(r"__error__|__warning__|__builtin_(?:constant_p|(?:dynamic_)?object_size)\b")
FORCED = "__attribute__((__always_inline__))"


def one_copy(preprocessed: str) -> str:
    """The text, in which what is no shim's is not forced into each caller where nothing asks for that.

    Operations call the same few functions, and copies of them are most of what the compiler works at.
    """
    if ASKED.search(preprocessed):
        return preprocessed
    parts: list[str] = []
    at, shim = 0, False
    for marker in (*MARKER.finditer(preprocessed), None):
        part = preprocessed[at : marker.start() if marker else None]
        parts.append(part if shim else part.replace(f"static inline {FORCED}", "static inline "))
        if marker:
            at, shim = marker.start(), marker[2].startswith(("kernel_snippets/include/", f"{INCLUDE}/"))
    return "".join(parts)


def odd(text: str) -> Iterator[tuple[int, str]]:
    """Offset and kind of what is no C after the preprocessor, or is read in more than one way."""
    for match in ODD.finditer(text):
        if match["odd"]:
            yield match.start(), NAMES.get(match["odd"], "a string without an end")
        elif match["hash"] and not PRAGMA.match(match["hash"]):
            yield match.start(), match["hash"].strip()[:60]


def place(preprocessed: str, at: int) -> tuple[str, int]:
    """File and line that the markers say of an offset."""
    markers = [*MARKER.finditer(preprocessed, 0, at)]
    if not markers:
        return "", 1 + preprocessed.count("\n", 0, at)
    last = markers[-1]
    return last[2], int(last[1]) + preprocessed.count("\n", last.end(), at) - 1


def read_preprocessed(path: Path) -> str:
    """The text of a compiler's -E, each letter as it is there."""
    return path.read_bytes().decode("ascii", "surrogateescape")
