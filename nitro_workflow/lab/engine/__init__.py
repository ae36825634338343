"""The engine of steps, and the instance for whoever wants none of them.

What is missing or no longer holds is run first, in the table's order.

>>> from nitro_workflow.lab.engine import Lab
>>> Lab.open("/tmp/lab").run("P1").status  # doctest: +SKIP
'done'
"""

from nitro_workflow.lab.engine.confirmation import Confirmation, confirm
from nitro_workflow.lab.engine.lab import Lab
from nitro_workflow.lab.engine.own_instance import OwnInstance

__all__ = ["Confirmation", "Lab", "OwnInstance", "confirm"]
