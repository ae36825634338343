r"""What is this? Bytes, text or JSON of any of the workflow's forms, recognised without trust.

Pure: bytes in, what they are out; nothing is opened, nothing believed, nothing raised. Wrappings
are taken off one by one (hex, base64, PEM, JSON fields, gzip, a log line) and are told.

>>> from nitro_workflow.widgets.recognising import recognise
>>> found = recognise(b'{"Policy": "{\\"Statement\\": []}"}')
>>> found.kind, found.why
('policy', 'JSON with Statement')
>>> found.path
('JSON', 'field Policy', 'JSON')
>>> recognise(bytes(8)).kind
'bytes'
"""

from nitro_workflow.widgets.recognising.recognised import Recognised
from nitro_workflow.widgets.recognising.recognised_chain import ders_of
from nitro_workflow.widgets.recognising.recognition import (
    MAX_RECOGNISED_BYTES,
    recognise,
    recognise_value,
)

__all__ = ["MAX_RECOGNISED_BYTES", "Recognised", "ders_of", "recognise", "recognise_value"]
