"""What a test's process does first, to find out what it does with few descriptors and none."""

TAKE_ALL = """
import errno, os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
held = []
try:
    while True:
        held.append(os.dup(0))
except OSError:
    pass
"""
