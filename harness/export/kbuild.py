# SPDX-License-Identifier: GPL-2.0-only
"""Builds modules with a kernel's unpacked header packages: nothing of them is installed or changed.

A kernel is a folder into which Debian's packages were unpacked (dpkg -x):

    boot/vmlinuz-VERSION                        linux-image-VERSION
    usr/src/linux-headers-VERSION/              .config, Module.symvers, include/generated
    usr/src/linux-headers-…-common/             include, arch, Makefile
    usr/lib/linux-kbuild-…/                     scripts, tools
    usr/bin/qemu-system-x86_64, usr/share/qemu  a qemu to boot it with; else that of PATH
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import worker
from harness.errors import HarnessError

PACKAGES = ("linux-image-VERSION-cloud-amd64, linux-headers-VERSION-cloud-amd64, "
            "linux-headers-VERSION-common, linux-kbuild-VERSION")  # fmt: skip
BUILD_SECONDS = 60  # and as many again for every few modules
FEW = 4
FILE_BYTES = 256 << 20
NOT_LINKED = ("Makefile", "vmlinux")  # with absolute paths in it; for BTF, which nothing here needs


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted, and that modules can be built for."""

    folder: Path
    version: str
    image: Path
    headers: Path
    common: Path


def kernel_in(folder: Path) -> Kernel:
    """The newest kernel in `folder`; HarnessError that says what is missing there."""
    if not folder.is_dir():
        raise HarnessError(f"{folder}: error: no such folder; give one into which {PACKAGES} were unpacked")
    folder = folder.resolve()  # what is built and booted runs elsewhere
    found: list[Kernel] = []
    for image in sorted(folder.glob("boot/vmlinuz-*")):
        version = image.name.removeprefix("vmlinuz-")
        headers = folder / "usr/src" / f"linux-headers-{version}"
        common = common_of(headers)
        if headers.is_dir() and common:
            found.append(Kernel(folder, version, image.resolve(), headers.resolve(), common.resolve()))
    if found:
        return found[-1]
    images = [path.name for path in folder.glob("boot/vmlinuz-*")]
    what = "its headers (usr/src/linux-headers-*)" if images else "boot/vmlinuz-*"
    raise HarnessError(f"{folder}: error: {what} is missing there; unpack {PACKAGES} into it "
                       "(dpkg -x), or make trees")  # fmt: skip


def common_of(headers: Path) -> Path | None:
    """The folder of what all flavours' headers have in common, which the Makefile of one names."""
    with contextlib.suppress(OSError):
        words = (headers / "Makefile").read_text().split()
        if len(words) == 2 and words[0] == "include":
            common = headers.parent / Path(words[1]).parent.name
            return common if (common / "Makefile").is_file() else None
    return None


def build_modules(kernel: Kernel, sources: Mapping[str, str], folder: Path) -> list[Path]:
    """The modules of C sources by name, in order; HarnessError with the compiler's first error."""
    for tool in ("make", "gcc"):
        if not shutil.which(tool):
            raise HarnessError(f"{tool} is missing, which builds modules; install the package {tool}")
    headers, modules = folder / "headers", folder / "modules"
    headers.mkdir()
    modules.mkdir()
    for path in kernel.headers.iterdir():
        if path.name not in NOT_LINKED:
            (headers / path.name).symlink_to(path)
    (headers / "Makefile").write_text(f"include {kernel.common}/Makefile\n")
    for name, text in sources.items():
        (modules / f"{name}.c").write_text(text)
    (modules / "Kbuild").write_text("".join(f"obj-m += {name}.o\n" for name in sources))
    compiler = shutil.which("gcc-12") or shutil.which("gcc")
    words = ["make", "-s", f"-j{min(len(os.sched_getaffinity(0)), 4)}", "-C", str(headers), f"M={modules}",
             f"CC={compiler}", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"]  # fmt: skip
    done = run(words, folder, BUILD_SECONDS * (1 + len(sources) // FEW))
    built = [modules / f"{name}.ko" for name in sources]
    if done.returncode or not all(path.is_file() for path in built):
        said = next((line for line in done.stdout.split("\n") if "error" in line.lower()), "make failed")
        raise HarnessError(f"the module does not build for {kernel.version}: "
                           f"{said.replace(f'{modules}/', '').strip()[:300]}")  # fmt: skip
    return built


def run(words: list[str], folder: Path, seconds: int) -> subprocess.CompletedProcess[str]:
    """A build under limits; its messages are in stdout."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TMPDIR": str(folder)}
    with subprocess.Popen(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                          start_new_session=True, preexec_fn=limits) as process:  # fmt: skip
        try:
            said, _ = process.communicate(timeout=seconds)
        except BaseException as err:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
            if isinstance(err, subprocess.TimeoutExpired):
                raise HarnessError(f"building the module took more than {seconds} s") from None
            raise
    return subprocess.CompletedProcess(words, process.returncode, said, "")


def limits() -> None:
    """Runs in make's process."""
    worker.end_with_parent()
    resource.setrlimit(resource.RLIMIT_CPU, (BUILD_SECONDS, BUILD_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
