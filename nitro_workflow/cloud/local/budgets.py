"""What one caller, and all callers together, may take of the cloud: every budget has its name here.

The figures are of three kinds: AWS's own (the source stands beside them), those of HTTP servers in
front of AWS, and ours, where AWS publishes none; the last are chosen so that eight honest clients
are served while two hundred connections are not honest (`benchmarks/hostile.py`). How many roles,
grants or instances an account may have are AWS's quotas, and stand with their services.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

# A connection and the head of a request.
CONNECTIONS: Final = 2_000  # at a time; each costs some 50 KB with its TLS
HANDSHAKE_SECONDS: Final = 10.0  # from the connection to the end of TLS's handshake
HEAD_BYTES: Final = 64 * KIB  # request line and headers; S3 itself takes 8 KB of them
HEAD_SECONDS: Final = 20.0  # from the first byte (or the handshake) to the end of the headers
# To send what is left of an answer, and for the client's own close_notify.
SHUTDOWN_SECONDS: Final = 15.0
FAREWELL_SECONDS: Final = 0.5  # a client that keeps an idle connection does not answer close_notify
PIPELINED: Final = 32  # requests that wait on one connection; a read may hold thousands of them
# Of one query or form, and headers; a form of the largest policy has fewer than twenty.
FIELDS: Final = 2_000

# A body on its way in.
# Of a call that is no object. The largest is KMS's: a 262,144-byte attestation document and a
# 6,144-byte ciphertext in base64 stay below 0.4 MB; IAM's policies of 131,072 characters,
# percent-encoded, too.
CALL_BYTES: Final = 1 * MIB
XML_BYTES: Final = 2 * MIB  # S3: DeleteObjects with 1,000 keys, an upload's 10,000 parts
OBJECT_BYTES: Final = 5 * GIB  # S3: one PutObject or UploadPart
# Of the kernel, a connection; by itself it takes up to 6 MB. Linux doubles what is asked for, and
# uvloop takes all of it at one read: it holds so much twice, encrypted, until the connection ends.
RECEIVE_BUFFER_BYTES: Final = 64 * KIB
UNREAD_BYTES: Final = 16 * KIB  # of it, with which a connection is not read on until they are taken
BODY_PAUSE_SECONDS: Final = 30.0  # between two pieces; who is slower holds no connection for ever
CALL_SECONDS: Final = 60.0  # for the whole of a body that is held in memory
# Bytes of an unwanted body that are read away so that its sender sees the answer: of one whose key
# is known, and of a stranger, whose connection is ended otherwise. So many at a time.
DISCARDED_BYTES: Final = 8 * MIB
STRANGER_DISCARDED_BYTES: Final = 64 * KIB
DISCARDED_AT_ONCE: Final = 16
DISCARD_SECONDS: Final = 10.0  # for all of it
# Bodies that are held in memory, all together and for one caller; what is larger than
# SMALL_BYTES waits for room, and is told to slow down where there is none for so long.
BODIES_BYTES: Final = 20 * MIB
CALLER_BODIES_BYTES: Final = 6 * MIB
SMALL_BYTES: Final = 16 * KIB  # an attestation document is some 7 KB in base64
ROOM_SECONDS: Final = 5.0
# Requests of one caller that may wait for room; each holds what was read of its body meanwhile.
CALLER_BODIES_WAITING: Final = 24
CALLER_OBJECTS_WAITING: Final = 64
BATCH_BYTES: Final = 512 * KIB  # of an object, digested and written while the next ones come
DIGEST_THREADS: Final = 2
UPLOADS: Final = 48  # objects that are received at a time: each has a file and three digests
CALLER_UPLOADS: Final = 24

# An answer on its way out.
DOWNLOADS: Final = 128  # objects that are sent at a time
CALLER_DOWNLOADS: Final = 32
BLOCK_BYTES: Final = 128 * KIB  # of an object, read and sent at a time; read from TLS at a time
# Before TLS, and behind it, beside the one block that made it full; a stalled client holds both.
WAITING_BYTES: Final = 64 * KIB
SEND_BUFFER_BYTES: Final = 256 * KIB  # of the kernel, a connection; Linux doubles what is asked for
STALLED_SECONDS: Final = 60.0  # that a client may leave a full buffer unread

# Work.
THREADS: Final = 8
CALLER_THREADS: Final = 4  # of those, for one caller
# On the event loop itself are answered only calls that are short by themselves and whose caller's
# policies are short: a policy may have thousands of conditions to look at.
LOOP_POLICY_CHARACTERS: Final = 16 * KIB
# Those of all policies times those of the longest value that they are compared with: 25 ms.
LOOP_COMPARISONS: Final = 4 * MIB
LOOP_GRANTS: Final = 200  # of the caller on one key, which may have 50,000: 10 ms
GRACE_SECONDS: Final = 10  # that requests under way have, once the process was told to stop

# Memory that was freed and is still ours goes back to the system so often. What is larger than the
# blocks that an object comes in is mapped by itself, so that it goes back at once, and so that of
# uvloop's 256 KiB a connection only what was used counts; were the blocks mapped too, an upload
# would cost twice the processor time (benchmarks/large_objects.py).
TRIM_SECONDS: Final = 10.0
MAPPED_BYTES: Final = 192 * KIB
ARENAS: Final = 2

# Memory for what was worked out once. A parsed policy takes some 40 times its text.
POLICY_CHARACTERS: Final = 1 * MIB  # texts whose parsed policies are remembered
EXPLANATION_CHARACTERS: Final = 512 * KIB
# Of the database, for each thread that reads; the system has them too.
PAGES_BYTES: Final = 256 * KIB
CACHED_ROWS: Final = 4_096  # values remembered of the database between two transactions

# Decision records: three rings on the disk, so that a flood of refusals cannot push out what was
# allowed, nor a flood of strangers either of them. In each, who has most makes room first.
ALLOWED_RECORD_BYTES: Final = 24 * MIB
REFUSED_RECORD_BYTES: Final = 8 * MIB
STRANGER_RECORD_BYTES: Final = 2 * MIB
RECORD_DAYS: Final = 90  # CloudTrail's event history
RECORD_BYTES: Final = 100 * KIB  # CloudTrail omits requestParameters of more than 100 KB
REFUSED_BYTES: Final = 32 * KIB  # of a refused call's record; a reason of many statements has 10 KB
RECORD_RESOURCES: Final = 20  # named in one record; DeleteObjects has 1,000
RECORD_NAMES_BYTES: Final = 24 * KIB  # of these; a key of S3 may be all escapes in JSON
REFUSED_PARAMETER_BYTES: Final = 8 * KIB  # of a refused call; the rest is omitted and said so
REFUSED_BODY_BYTES: Final = 64 * KIB  # of a refused call; of a longer one no parameter is kept
WAITING_RECORDS: Final = 2_000  # of calls that were answered, in memory
WAITING_EXPLANATIONS: Final = 200  # with more than so many records waiting, reasons are short
JOURNAL_BYTES: Final = 8 * MIB  # of SQLite's write-ahead log, kept between two checkpoints
