"""The engine of steps, and the instance for whoever wants none of them.

What is missing or no longer holds is run first, in the table's order.

>>> from tempfile import TemporaryDirectory
>>> from nitro_workflow.lab.engine import Lab
>>> with TemporaryDirectory() as folder:
...     lab = Lab.open(folder)  # `lab.run("P1")` makes the key
...     lab.bench.result("P1") is None
True
"""

from nitro_workflow.lab.engine.confirmation import Confirmation, confirm
from nitro_workflow.lab.engine.lab import Lab
from nitro_workflow.lab.engine.own_instance import OwnInstance

__all__ = ["Confirmation", "Lab", "OwnInstance", "confirm"]
