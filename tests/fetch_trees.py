# SPDX-License-Identifier: GPL-2.0-only
"""Brings kernel trees from Debian's packages into trees/: `make trees`. Nothing is installed.

    linux-6.1    the headers of Debian bookworm's kernel
    linux-6.12   those of bookworm-backports
    linux-7      the source of the newest 7.x, without drivers, sound, tools and other machines'
    kunit        only tools/testing/kunit of the same: the kernel's own reader of KTAP
    kernel-6.12  what boots: bookworm-backports' kernel for clouds, and what modules for it are built with

Beside it is qemu of bookworm-backports, which boots it: that of bookworm (7.2) translates code that the
kernel patches wrongly at times, and one boot in three ends early. It needs the libraries that the package
qemu-system-x86 brings: to be installed, which is said where it is missing.

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
KERNEL = "kernel-6.12"
# The packages of a kernel that boots, each below the version that its headers have.
HEADERS = r"linux-headers-(6\.12\.[\w.+~]+)-cloud-amd64"
PARTS = ("linux-headers-{}-cloud-amd64", "linux-headers-{}-common", "linux-kbuild-{}",
         "linux-image-{}-cloud-amd64")  # fmt: skip
QEMU = "qemu-system-x86_64"
QEMU_PARTS = ("qemu-system-x86", "qemu-system-data", "seabios")
QEMU_FROM = "bookworm-backports"
SOURCES = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def main() -> int:
    """Brings what is missing; the exit status."""
    missing = [want for want in WANTED if not (TREES / want[0] / "include/linux").is_dir()]
    if not (TREES / "kunit" / KUNIT / "kunit.py").is_file():
        missing.append(("kunit", *WANTED[-1][1:]))
    kernel = not any((TREES / KERNEL).glob("boot/vmlinuz-*"))
    qemu = not (TREES / KERNEL / "usr/bin" / QEMU).exists()
    if not shutil.which(QEMU):
        print(f"{QEMU} is missing, which some tests boot a kernel with: apt-get install qemu-system-x86",
              file=sys.stderr)  # fmt: skip
    if not missing and not kernel and not qemu:
        return 0
    for tool in ("apt-get", "apt-cache", "dpkg"):
        if not shutil.which(tool):
            print(f"error: {tool} is missing; unpack kernel trees to {TREES}/linux-6.1, linux-6.12, "
                  f"linux-7 and {KERNEL} by hand", file=sys.stderr)  # fmt: skip
            return 2
    TREES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TREES) as folder:
        try:
            apt = Apt(Path(folder))
            apt.run("apt-get", "update")
            bring(apt, missing)
            if kernel:
                bring_kernel(apt)
            if kernel or qemu:
                bring_qemu(apt)
        except (subprocess.CalledProcessError, OSError, tarfile.TarError) as err:
            said = getattr(err, "stderr", None) or str(err)
            print(f"error: the kernel trees cannot be had: {last_line(said)}; is there a network?",
                  file=sys.stderr)  # fmt: skip
            return 2
    return 0


def bring(apt: Apt, missing: Sequence[tuple[str, str, str]]) -> None:
    """Fetches and unpacks packages, each to its folder at once, so that none is there by half."""
    work = apt.work
    for name, pattern, inside in missing:
        package = newest(apt.run("apt-cache", "pkgnames"), pattern)
        print(f"{name}: {package}", file=sys.stderr)
        unpacked = work / "unpacked" / name
        apt.unpack(package, unpacked)
        tree = next(unpacked.glob(inside))
        if tree.name.endswith(".tar.xz"):
            without = [f"--exclude=*/{name}" for name in ("drivers", "sound", "tools", "arch/[!x]*")]
            of = ["--wildcards", f"*/{KUNIT}"] if name == "kunit" else without
            run(["tar", "-xJf", str(tree), "-C", str(unpacked), *of], work)
            inner = KUNIT if name == "kunit" else "include/linux"
            tree = next(path for path in unpacked.iterdir() if (path / inner).is_dir())
        shutil.rmtree(TREES / name, ignore_errors=True)
        tree.rename(TREES / name)


def bring_kernel(apt: Apt) -> None:
    """A kernel's image, headers and build programs, where the packages have them: usr, boot."""
    headers = newest(apt.run("apt-cache", "pkgnames"), HEADERS)
    found = re.fullmatch(HEADERS, headers)
    assert found
    unpacked = apt.work / "unpacked" / KERNEL
    for part in PARTS:
        package = part.format(found[1])
        print(f"{KERNEL}: {package}", file=sys.stderr)
        apt.unpack(package, unpacked)
    shutil.rmtree(unpacked / "lib", ignore_errors=True)  # modules, which nothing here loads
    shutil.rmtree(TREES / KERNEL, ignore_errors=True)
    unpacked.rename(TREES / KERNEL)


def bring_qemu(apt: Apt) -> None:
    """qemu of backports into the kernel's folder; nothing where there is none, since that of PATH does."""
    unpacked = apt.work / "unpacked" / "qemu"
    try:
        for package in QEMU_PARTS:
            print(f"{KERNEL}: {package}, {QEMU_FROM}", file=sys.stderr)
            apt.unpack(f"{package}/{QEMU_FROM}", unpacked)
    except (subprocess.CalledProcessError, StopIteration):
        return
    for folder in ("share/qemu", "share/seabios", "bin"):  # the program last: it says that all is there
        target = TREES / KERNEL / "usr" / folder
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        (unpacked / "usr" / folder).rename(target)


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

    def unpack(self, package: str, folder: Path) -> None:
        """Fetches a package, and puts its files below `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{package.partition('/')[0]}_*.deb"
        if not any(self.work.glob(name)):  # the newest source is of two trees
            self.run("apt-get", "download", package)
        run(["dpkg", "-x", str(next(self.work.glob(name))), str(folder)], self.work)

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
