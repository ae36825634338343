"""Asks PyPI's epsilon-attestation-verifier about every document of a pack that is made for now.

``main.py PACK`` prints one JSON object a line: ``{"peer", "file", "accepted", "error"}``.
"""

import base64
import json
import logging
import sys
from pathlib import Path

from epsilon_verifier import verify_attestation

logging.disable()


def verdict(pack, manifest, entry):
    pcrs = entry["expected"]["pcrs"]
    result = verify_attestation(
        attestation_doc=base64.b64encode((pack / entry["file"]).read_bytes()).decode(),
        aws_root_cert_path=str(pack / manifest["roots"][entry["root"]]["file"]),
        **{f"expected_pcr{index}": pcrs.get(str(index)) for index in (0, 1, 2)},
    )
    return result.valid, result.error or ""


def main(pack):
    manifest = json.loads((pack / "manifest.json").read_text())
    for entry in manifest["documents"]:
        row = {"peer": "epsilon-attestation-verifier", "file": entry["file"]}
        try:
            row["accepted"], row["error"] = verdict(pack, manifest, entry)
        except Exception as error:  # noqa: BLE001 - whatever it raises is its answer
            row["accepted"], row["error"] = False, f"panic: {error!r}"
        print(json.dumps(row))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
