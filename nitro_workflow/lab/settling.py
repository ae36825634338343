"""What is put on AWS is not known everywhere at once: calls that wait for it, and say so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from nitro_workflow.cloud import DENIED, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from nitro_workflow.lab.workbench import Workbench

__all__ = ["POLICY_NAMES_NOBODY", "settled"]

POLICY_NAMES_NOBODY: Final = frozenset(
    {"MalformedPolicyDocumentException", "MalformedPolicyDocument", "MalformedPolicy"}
)
"""What KMS, IAM and S3 answer to a policy whose principal they do not know (yet)."""

Answer = TypeVar("Answer")


def settled(
    bench: Workbench, what: str, call: Callable[[], Answer], codes: Collection[str] = DENIED
) -> Answer:
    """Return the call's answer; one of ``codes`` is asked again for as long as a change may take.

    ``what``: what is not known yet, for the person. The local cloud is asked once.
    """
    from botocore.exceptions import ClientError

    patience = bench.cloud.settling
    begun = time.monotonic()
    while True:
        try:
            return call()
        except ClientError as error:
            waited = time.monotonic() - begun
            if error_code(error) not in codes or waited >= patience.seconds:
                raise
        bench.say(f"{what} is not known everywhere yet ({waited:.0f} s): asking again …")
        time.sleep(patience.pause)
