"""What cfn-lint says of CloudFormation templates, and Terraform files as python-hcl2 reads them.

    python main.py FOLDER

prints one JSON object a line: ``{"template", "rule", "message"}`` for each finding, and
``{"configuration", "read"}`` for each Terraform file below the folder of an export.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import hcl2
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs


def main(folder: Path) -> None:
    """Print what both say."""
    for path in sorted(folder.glob("cloudformation/*.json")):
        row = {"template": path.name, "rule": "", "message": "read"}
        print(json.dumps(row))
        for found in lint_file(path, config=ManualArgs(regions=["us-east-1", "eu-central-1"])):
            row = {"template": path.name, "rule": found.rule.id, "message": found.message}
            print(json.dumps(row))
    for path in sorted(folder.glob("terraform/*/*.tf")):
        with path.open() as file:
            print(json.dumps({"configuration": path.parent.name, "read": hcl2.load(file)}))


main(Path(sys.argv[1]))
