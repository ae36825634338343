"""Documents that every verifier must refuse, some that it must take, some that it may.

Other people's verifiers are tested with it: each document has one defect, the clause that forbids
it, and all that a verifier must be told. The keys follow from their names, the root's private key
is in the pack: the same bytes for everyone, and nothing to trust.

>>> from nitro_workflow.attestation import Verifier
>>> from nitro_workflow.attestation.pack import PUBLISHED_AT, build_pack
>>> pack = {document.row.name: document for document in build_pack(PUBLISHED_AT)}
>>> one = pack["role-and-instance"]
>>> one.file, one.row.clause
('refuse-debug-role-and-instance.cose', 'AWS user guide, debug mode: not for attestation')
>>> Verifier.with_root(one.root).explain(one.data, at=one.at, expected=one.expected).failed
('debug',)
"""

from nitro_workflow.attestation.pack.pack_files import PUBLISHED_AT, build_pack, pack_files
from nitro_workflow.attestation.pack.pack_row import PackDocument

__all__ = ["PUBLISHED_AT", "PackDocument", "build_pack", "pack_files"]
