# SPDX-License-Identifier: GPL-2.0-only
"""`kconform replay`: saved findings, run again."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.options import add_config, add_tree, config_of
from harness.inputs import given, tuple_of

if TYPE_CHECKING:
    from harness.contract import Loaded
    from harness.export.kbuild import Kernel
    from harness.report.kernel import WalkAgain
    from harness.stage import Revision, Stage
    from harness.trace_file import TraceFile

EPILOG = """exit status: 0 all are gone, 1 at least one is still there or changed, 2 one cannot be run.
With --kernel: 0 every observation is the same in the kernel, 1 one differs, 2 it cannot be compared."""


def add(commands: Any) -> None:
    """Its grammar."""
    replay = commands.add_parser("replay", help="run saved findings again", epilog=EPILOG)
    replay.add_argument("trace", nargs="+", metavar="TRACE")
    replay.add_argument("--patch", nargs="+", metavar="PATCH", help="another revision than the trace's own")
    add_tree(replay)
    replay.add_argument("--contract", metavar="NAME|FILE.py", help="for the traces of the contract it has")
    add_config(replay)
    replay.add_argument("--format", choices=("text", "json"), default="text")
    replay.add_argument("--kernel", metavar="DIR", help="run them in the kernel there as well, under qemu")
    replay.set_defaults(run=run_replay, latest=False, prefix=None)


def run_replay(options: argparse.Namespace) -> int:
    """`kconform replay`."""
    from harness.build import cache_folder
    from harness.loading import contract_path, load
    from harness.replay import replay_all
    from harness.report.json import replays_json
    from harness.report.kernel import again_text
    from harness.report.replay import replays_text
    from harness.scratch import scratch_folder
    from harness.stage import Revision, Stage
    from harness.trace_file import WALK_ID, clean, read_trace

    kernel = kernel_of(options.kernel) if options.kernel else None
    config = config_of(options.config)
    traces = [(clean(name), read_trace(Path(name))) for name in options.trace]
    own = load(contract_path(options.contract), {}) if options.contract else None
    contracts = {own.contract.name: own} if own else {}
    with contextlib.ExitStack() as opened:
        revision = None
        if options.patch or options.tree:
            on = opened.enter_context(given(options))
            revision = Revision(on.patches, tuple_of(on.items), on.tree)
        folder = opened.enter_context(scratch_folder(cache_folder()))
        stage = Stage(folder)
        if kernel:
            return in_kernel(options, kernel, traces, revision, stage, contracts, config)
        walks = [walk_again(name, trace, revision, stage, contracts, config)
                 for name, trace in traces if trace.id == WALK_ID]  # fmt: skip
        traces = [(name, trace) for name, trace in traces if trace.id != WALK_ID]
        replays = list(replay_all(traces, stage, revision, contracts, config))
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    if options.format == "json":
        sys.stdout.write(replays_json(replays, walks))
    else:
        sys.stdout.write("".join(map(again_text, walks)) + replays_text(replays, color))
    lost = [replayed for replayed in replays if replayed.verdict == "cannot be run"]
    for replayed in lost:
        print(f"{replayed.name}: error: cannot be run: {'; '.join(replayed.how)}", file=sys.stderr)
    bad = any(replayed.verdict in ("still there", "changed") for replayed in replays)
    return 1 if bad or not all(walk.same for walk in walks) else 2 if lost else 0


def walk_again(
    name: str,
    trace: TraceFile,
    revision: Revision | None,
    stage: Stage,
    contracts: Mapping[str, Loaded],
    config: Mapping[str, bool],
) -> WalkAgain:
    """Runs a recorded walk."""
    from harness.export.compare import Row
    from harness.export.walks import play_walk, setting_of_walk
    from harness.report.kernel import INITIAL, WalkAgain
    from harness.stage import own_revision
    from harness.trace import call_text

    setting = setting_of_walk(trace, revision or own_revision(trace), contracts, config)
    walked = play_walk(trace, setting, stage)
    was = [Row(call_text(step.op, step.args) if step.op else INITIAL,
               {k: int(v) for k, v in step.observed.items()})
           for step in trace.steps]  # fmt: skip
    now = [Row("", seen) for _, _, seen in walked.rows]
    return WalkAgain(name, was, now, walked.end, setting.loaded.contract, setting.loaded.bounds)


def kernel_of(folder: str) -> Kernel:
    """The kernel in a folder; what is missing to boot it is said before anything is compiled."""
    from harness.export.boot import qemu_command
    from harness.export.kbuild import kernel_in

    kernel = kernel_in(Path(folder))
    qemu_command(kernel)
    return kernel


def in_kernel(
    options: argparse.Namespace,
    kernel: Kernel,
    traces: Sequence[tuple[str, TraceFile]],
    revision: Revision | None,
    stage: Stage,
    contracts: Mapping[str, Loaded],
    config: Mapping[str, bool],
) -> int:
    """`kconform replay --kernel DIR`."""
    import json

    from harness.export.compare import compare_all
    from harness.export.files import wanted
    from harness.report.kernel import compared_json, compared_text

    asked = [wanted(name, trace, revision, stage, contracts, config, f"kc{number}")
             for number, (name, trace) in enumerate(traces)]  # fmt: skip
    done = compare_all(kernel, [each for each, _ in asked], stage.folder)
    pairs = [(one, contract) for one, (_, contract) in zip(done, asked, strict=True)]
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    if options.format == "json":
        print(json.dumps(compared_json(pairs), indent=1))
    else:
        sys.stdout.write(compared_text(pairs, color))
    return 0 if all(one.equal for one in done) else 1
