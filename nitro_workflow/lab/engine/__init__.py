"""The engine of steps: what is missing or no longer holds is run first, in the table's order.

>>> from nitro_workflow.lab.engine import Lab
>>> Lab.open("/tmp/lab").run("P1").status  # doctest: +SKIP
'done'
"""

from nitro_workflow.lab.engine.lab import Lab

__all__ = ["Lab"]
