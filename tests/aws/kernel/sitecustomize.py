"""Put the stand-in in AWS's place in every Python that a test starts with this folder on PYTHONPATH.

Test code only: the folder is no part of the package, and nothing of the package looks for it.
"""

import os

if folder := os.environ.get("NITRO_TESTS_STAND_IN"):
    from pathlib import Path

    from tests.aws.stand_in import put_in

    put_in(Path(folder))
