"""What the processes tell of themselves: jobs, decision records, the trace.

>>> from nitro_workflow.lab.evidence import TraceEvent
>>> TraceEvent(1, "", "D2", "parent", "enclave", "ciphertext", 16, "", ("parent",), "").told_by
''
"""

from nitro_workflow.lab.evidence.decision_lookup import newest_decision, newest_records
from nitro_workflow.lab.evidence.enclave_job import Job, parent_of
from nitro_workflow.lab.evidence.trace import TraceEvent, collect

__all__ = ["Job", "TraceEvent", "collect", "newest_decision", "newest_records", "parent_of"]
