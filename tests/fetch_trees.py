# SPDX-License-Identifier: GPL-2.0-only
"""Brings kernel trees from Debian's packages into trees/: `make trees`. Nothing is installed.

    linux-6.1    the headers of Debian bookworm's kernel
    linux-6.12   those of bookworm-backports
    linux-7      the source of the newest 7.x, without drivers, sound, tools and other machines'
    kunit        only tools/testing/kunit of the same: the kernel's own reader of KTAP

apt fetches with a sources list and a state of its own, from the mirror that the machine's own sources
name, and checks signatures as it always does.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

TREES = Path(__file__).resolve().parent.parent / "trees"
SUITES = ("bookworm", "bookworm-backports", "trixie-backports", "sid")
# Folder, the pattern of the package's name, and where the tree lies in it.
WANTED = (
    ("linux-6.1", r"linux-headers-6\.1\.\d+-\d+-common", "usr/src/linux-headers-*"),
    ("linux-6.12", r"linux-headers-6\.12\.[\w.+~]+-common", "usr/src/linux-headers-*"),
    ("linux-7", r"linux-source-7\.\d+", "usr/src/linux-source-*.tar.xz"),
)
KUNIT = "tools/testing/kunit"  # kunit.py must lie below a folder of this name
SOURCES = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def main() -> int:
    """Brings what is missing; the exit status."""
    missing = [want for want in WANTED if not (TREES / want[0] / "include/linux").is_dir()]
    if not (TREES / "kunit" / KUNIT / "kunit.py").is_file():
        missing.append(("kunit", *WANTED[-1][1:]))
    if not missing:
        return 0
    for tool in ("apt-get", "apt-cache", "dpkg"):
        if not shutil.which(tool):
            print(f"error: {tool} is missing; unpack kernel trees to {TREES}/linux-6.1, linux-6.12 and "
                  "linux-7 by hand", file=sys.stderr)  # fmt: skip
            return 2
    TREES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TREES) as folder:
        try:
            bring(missing, Path(folder))
        except (subprocess.CalledProcessError, OSError, tarfile.TarError) as err:
            said = getattr(err, "stderr", None) or str(err)
            print(f"error: the kernel trees cannot be had: {last_line(said)}; is there a network?",
                  file=sys.stderr)  # fmt: skip
            return 2
    return 0


def bring(missing: Sequence[tuple[str, str, str]], work: Path) -> None:
    """Fetches and unpacks packages, each to its folder at once, so that none is there by half."""
    apt = Apt(work)
    apt.run("apt-get", "update")
    for name, pattern, inside in missing:
        package = newest(apt.run("apt-cache", "pkgnames"), pattern)
        print(f"{name}: {package}", file=sys.stderr)
        if not any(work.glob(f"{package}_*.deb")):
            apt.run("apt-get", "download", package)
        archive = next(work.glob(f"{package}_*.deb"))
        unpacked = work / "unpacked" / name
        unpacked.mkdir(parents=True)
        run(["dpkg", "-x", str(archive), str(unpacked)], work)
        tree = next(unpacked.glob(inside))
        if tree.name.endswith(".tar.xz"):
            without = [f"--exclude=*/{name}" for name in ("drivers", "sound", "tools", "arch/[!x]*")]
            of = ["--wildcards", f"*/{KUNIT}"] if name == "kunit" else without
            run(["tar", "-xJf", str(tree), "-C", str(unpacked), *of], work)
            inner = KUNIT if name == "kunit" else "include/linux"
            tree = next(path for path in unpacked.iterdir() if (path / inner).is_dir())
        shutil.rmtree(TREES / name, ignore_errors=True)
        tree.rename(TREES / name)


class Apt:
    """apt with a state of its own below `work`."""

    def __init__(self, work: Path) -> None:
        self.work = work
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (work / folder).mkdir(parents=True)
        signed = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
        lines = [f"deb{signed} {mirror()} {suite} main" for suite in SUITES]
        (work / "sources.list").write_text("\n".join(lines) + "\n")
        (work / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{work}/sources.list";\nDir::Etc::sourceparts "-";\n'
            f'Dir::State "{work}/state";\nDir::Cache "{work}/cache";\n'
            'Acquire::Languages "none";\nAPT::Sandbox::User "";\n'
        )

    def run(self, *words: str) -> str:
        """The output of one of its commands."""
        return run([*words[:1], *words[1:]], self.work, {"APT_CONFIG": str(self.work / "apt.conf")})


def run(words: Sequence[str], folder: Path, more: dict[str, str] | None = None) -> str:
    """The output of a command."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **(more or {})}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def mirror() -> str:
    """The Debian mirror that the machine's own sources name."""
    for source in SOURCES:
        text = source.read_text(errors="replace") if source.is_file() else ""
        if found := re.search(r"\bhttps?://\S*/debian/?(?=\s|$)", text):
            return found[0].rstrip("/")
    return "http://deb.debian.org/debian"


def newest(names: str, pattern: str) -> str:
    """The package of the highest version that a pattern matches."""
    found = [name for name in names.split() if re.fullmatch(pattern, name)]
    if not found:
        raise OSError(f"no package is called {pattern}")
    return max(found, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def last_line(text: str) -> str:
    """The line of a program's messages that says most."""
    return next((line for line in reversed(text.strip().split("\n")) if line.strip()), "unknown")


if __name__ == "__main__":
    sys.exit(main())
