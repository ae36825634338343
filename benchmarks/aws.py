"""The AWS path's figures against its limits, on the stand-in: nothing of it was run on AWS.

``python -m benchmarks.aws`` from the repository prints a table; exit code 1 when a limit is missed.
The stand-in is of `tests/aws`: the lab's own cloud in AWS's place, a sandbox as the parent.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nitro_workflow.lab import Lab, leftovers, plan, teardown
from tests.aws.saved_state import left
from tests.aws.stand_in import StandIn, stand_in

SIZE = 1024 * 1024  # bytes of data


def measured(at: StandIn, folder: Path) -> Iterator[tuple[str, float, float, str]]:
    """Yield name, value, limit, unit."""
    begun = time.monotonic()
    planned = plan(at.settings)
    yield "plan", time.monotonic() - begun, 2, "s"
    lab = Lab.open(folder, cloud="aws", aws=at.settings, size=SIZE, host="ec2")
    lab.pair.agree()
    begun = time.monotonic()
    results = list(lab.walk())
    if failed := results[-1].error:
        raise SystemExit(f"the walk failed: {failed}")
    yield f"walk, {len(results)} steps", time.monotonic() - begun, 40, "s"
    for result in results:
        if result.seconds > 1:
            print(f"  of it {result.step}: {result.seconds:.1f} s")
    found = leftovers(lab.pair.aws, lab.bench.folder.identity)
    # Two aliases stand for their keys there; volume and address come and go with the instance.
    made = len(found) + sum(one.kind == "KMS key" for one in found) + 2
    if made != len(planned.things):
        raise SystemExit(f"{made} things were made, {len(planned.things)} planned")
    yield "created resources", made, 20, ""
    begun = time.monotonic()
    states = {one.state for one in teardown(lab.pair.aws)}
    yield "teardown", time.monotonic() - begun, 15, "s"
    if "failed" in states:
        raise SystemExit("teardown left something")
    yield "resources left", len(left(at)), 0, ""


def main() -> int:
    """Print the table; return whether a limit was missed."""
    print(f"stand-in, not AWS; load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    missed = False
    with tempfile.TemporaryDirectory() as folder, stand_in(Path(folder, "side")) as at:
        for name, value, limit, unit in measured(at, Path(folder, "lab")):
            missed |= value > limit
            verdict = "MISSED" if value > limit else "held"
            print(f"{name:<24}{value:10.2f} {unit:<2} ≤ {limit:g} {verdict}", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
