# SPDX-License-Identifier: GPL-2.0-only
"""Boots a kernel under qemu with modules, and gives what they say on the console.

The modules are a stranger's code: the guest has no disk, no network, no device but a serial port, and
little memory. qemu of Debian bookworm (7.2) translates code that the kernel patches wrongly at times
(fixed in 8.1: "accel/tcg: Always lock pages before translation"): a boot that ends before the guest's
first process is tried again.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import worker
from harness.build import NATIVE, run_compiler
from harness.errors import HarnessError
from harness.export.kbuild import Kernel

QEMU = "qemu-system-x86_64"
MEMORY_MB = 256
BOOTS = 6
BOOT_SECONDS = 120  # until the guest's first process runs
SILENT_SECONDS = 20  # without a step more: it does not come back
MOST_OUTPUT = 64 << 20
READY, GUEST = "kconform-guest: ready", "kconform-guest: "
COMMAND_LINE = "console=ttyS0 quiet panic=-1 nokaslr mitigations=off random.trust_cpu=on oops=0"


@dataclass(frozen=True)
class Booted:
    """What a guest said from its first process on, line by line; `hung` where it was ended from outside."""

    lines: tuple[str, ...]
    hung: bool
    boots: int


def qemu_command(kernel: Kernel) -> list[str]:
    """qemu that was unpacked beside the kernel, else that of PATH; HarnessError where there is none."""
    own = kernel.folder / "usr/bin" / QEMU
    if own.is_file() and os.access(own, os.X_OK) and runs(own):
        share = kernel.folder / "usr/share"
        return [str(own), "-L", str(share / "seabios"), "-L", str(share / "qemu")]
    found = shutil.which(QEMU)
    if not found:
        raise HarnessError(f"{QEMU} is missing, which boots the kernel; install the package qemu-system-x86")
    return [found]


def runs(program: Path) -> bool:
    """Whether a program's libraries are there."""
    try:
        return not subprocess.run([program, "--version"], capture_output=True, timeout=30,
                                  check=False).returncode  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False


def boot(kernel: Kernel, modules: Sequence[Path], folder: Path) -> Booted:
    """Boots `kernel`, loads `modules` in order, and powers off; HarnessError where it does not boot."""
    command = qemu_command(kernel)
    initrd = folder / "initrd"
    initrd.write_bytes(archive(guest_init(folder), modules))
    command += [
        "-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc", "-accel", "tcg",
        "-cpu", "qemu64", "-smp", "1", "-m", str(MEMORY_MB), "-net", "none", "-no-reboot",
        "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-serial", "stdio", "-kernel", str(kernel.image), "-initrd", str(initrd), "-append", COMMAND_LINE,
    ]  # fmt: skip
    said = ""
    for number in range(1, BOOTS + 1):
        text, hung = run(command, folder)
        before, ready, after = text.partition(READY)
        if ready:
            return Booted(tuple(line.rstrip("\r") for line in after.split("\n")), hung, number)
        said = next((line for line in before.split("\n") if line.strip()), "nothing")
    raise HarnessError(
        f"{kernel.version} does not boot under {command[0]}, {BOOTS} times: {said.strip()[:200]}"
    )


def guest_init(folder: Path) -> Path:
    """The guest's first process, compiled."""
    out = folder / "init"
    status, said = run_compiler(["-O2", "-static", "-o", out, NATIVE / "guest_init.c"], folder)
    if status:
        raise HarnessError(f"the guest's first process does not compile: {said.strip()[:200]}; "
                           "install the package libc6-dev")  # fmt: skip
    return out


def archive(init: Path, modules: Sequence[Path]) -> bytes:
    """An initramfs (cpio, newc: Documentation/driver-api/early-userspace/buffer-format.rst)."""
    files = [("dev", b"", 0o040755, 0), ("dev/console", b"", 0o020600, 5 << 8 | 1)]
    files += [("init", init.read_bytes(), 0o100755, 0)]
    files += [(f"{n}.ko", module.read_bytes(), 0o100644, 0) for n, module in enumerate(modules)]
    return b"".join(entry(*file) for file in [*files, ("TRAILER!!!", b"", 0, 0)])


def entry(name: str, data: bytes, mode: int, device: int) -> bytes:
    """One file of a cpio archive; `device` holds a major and a minor number."""
    named = name.encode() + b"\0"
    numbers = (0, mode, 0, 0, 1, 0, len(data), 0, 0, device >> 8, device & 255, len(named), 0)
    head = b"070701" + b"".join(b"%08x" % number for number in numbers) + named
    return padded(padded(head) + data)


def padded(data: bytes) -> bytes:
    """`data` up to a multiple of four bytes."""
    return data + bytes(-len(data) % 4)


def run(command: Sequence[str], folder: Path) -> tuple[str, bool]:
    """What a guest says, and whether it had to be ended."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TMPDIR": str(folder)}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=worker.end_with_parent,
    )  # fmt: skip
    assert process.stdout
    try:
        said, hung = listen(process.stdout.fileno())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return said.decode("utf-8", "replace"), hung


def listen(handle: int) -> tuple[bytearray, bool]:
    """What comes from a guest until it ends, or, as the second value says, goes on without a step more.

    A kernel that hangs still says that it does: only steps and what the first process says count.
    """
    said = bytearray()
    deadline = time.monotonic() + BOOT_SECONDS
    while len(said) < MOST_OUTPUT:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            return said, True
        data = os.read(handle, 1 << 16)
        if not data:
            return said, False
        said += data
        if any(mark in said[-len(data) - MARK :] for mark in PROGRESS):
            deadline = time.monotonic() + SILENT_SECONDS
    return said, True


PROGRESS = (GUEST.encode(), b"# kc ")
MARK = 16  # bytes that a mark may have before what was read last
