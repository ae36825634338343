"""S3 through other people's programs: what works, what is refused by name; the table in the docs.

Each is told of the cloud only by what ``nitro-workflow cloud env`` prints. The table is written
anew with ``NITRO_WRITE_TABLE=1``; without, a row that is not what happened fails.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from nitro_workflow.cli.cloud import cloud as cloud_command
from tests.cloud.conftest import RunningCloud
from tests.interop.peers import Unbuilt
from tests.interop.s3_clients import CLIENTS, STEPS, Client
from tests.interop.sdks import SDKS

pytestmark = pytest.mark.interop

DOCUMENT = Path(__file__).parents[2] / "docs" / "clients.md"
HEAD = f"| client | {' | '.join(STEPS.values())} |"


@pytest.fixture(scope="module")
def lab_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = RunningCloud(tmp_path_factory.mktemp("clients") / "the lab")
    running.lab.mkdir()
    running.start()
    yield running
    running.stop(signal.SIGKILL)


def environment(cloud: RunningCloud, recipe_name: str, home: Path, *options: str) -> dict[str, str]:
    """Return what a shell has into which the recipe was pasted."""
    words = ["env", "--lab", str(cloud.lab), "--for", recipe_name, "--show-secrets", *options]
    recipe = CliRunner().invoke(cloud_command, words, catch_exceptions=False).stdout
    script = f"{recipe}\nenv -0"
    before = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "AWS_PAGER": ""}
    shown = subprocess.run(["sh", "-euc", script], capture_output=True, check=True, env=before)
    pairs = (line.partition("=") for line in shown.stdout.decode().split("\0") if line)
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_row_of_the_table(
    lab_cloud: RunningCloud,
    client: Client,
    require: Callable[[str, bool, str], None],
    tmp_path: Path,
) -> None:
    try:
        words, trouble = client.make(), ""
    except Unbuilt as unbuilt:
        words, trouble = [], f"{client.remedy}: {unbuilt}"
    require("interop", not trouble, trouble)
    bucket = f"clients-{CLIENTS.index(client)}"
    lab_cloud.client("s3").create_bucket(Bucket=bucket)
    given = environment(lab_cloud, client.recipe, tmp_path)
    outcomes = [client.run(words, step, bucket, given, tmp_path) for step in STEPS]
    row = f"| {client.name} | {' | '.join(outcomes)} |"
    if os.environ.get("NITRO_WRITE_TABLE"):
        write(client, row)
    assert row in DOCUMENT.read_text(encoding="utf-8").splitlines()


def write(client: Client, row: str) -> None:
    """Put the row in its place; the rows of others stay."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| client | put, get"))
    end = next(n for n in range(start, len(lines)) if not lines[n].startswith("|"))
    rows = [one for one in lines[start + 2 : end] if not one.startswith(f"| {client.name} |")]
    order = [one.name for one in CLIENTS]
    rows = sorted([*rows, row], key=lambda one: order.index(one.split(" | ")[0].removeprefix("| ")))
    rule = "|" + "---|" * (len(STEPS) + 1)
    lines[start:end] = [HEAD, rule, *rows]
    DOCUMENT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_document_names_every_client() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert HEAD in text
    assert [c.name for c in CLIENTS if f"| {c.name} |" not in text] == []
    # The rows of the SDKs are what the tests of test_aws_sdks.py hold, one a column.
    assert [sdk.name for sdk in SDKS if f"(`--for {sdk.name}`)" not in text] == []
