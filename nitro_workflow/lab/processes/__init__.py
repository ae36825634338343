"""The background processes of a lab, and the pair of cloud and host that they are.

>>> from nitro_workflow.lab.processes import LocalPair
>>> LocalPair(LabFolder.open("/tmp/lab")).status()  # doctest: +SKIP
{'cloud': 'stopped', 'hypervisor': 'stopped', 'idle': 'stopped'}
"""

from nitro_workflow.lab.processes.background import Processes
from nitro_workflow.lab.processes.local_pair import LocalPair, Pair

__all__ = ["LocalPair", "Pair", "Processes"]
