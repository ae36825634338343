"""The background processes of a lab, and the pair of cloud and host that they are.

>>> from tempfile import TemporaryDirectory
>>> from nitro_workflow.lab.lab_folder import LabFolder
>>> from nitro_workflow.lab.processes import LocalPair
>>> with TemporaryDirectory() as folder:
...     LocalPair(LabFolder.open(folder)).status()
{'cloud': 'stopped', 'hypervisor': 'stopped', 'idle': 'stopped'}
"""

from nitro_workflow.lab.processes.background import Processes
from nitro_workflow.lab.processes.local_pair import HOST_SETTING, LocalPair, choose_host
from nitro_workflow.lab.processes.process_table import LabProcess, find_processes
from nitro_workflow.lab.processes.runtime_place import end_orphan

__all__ = [
    "HOST_SETTING",
    "LabProcess",
    "LocalPair",
    "Processes",
    "choose_host",
    "end_orphan",
    "find_processes",
]
