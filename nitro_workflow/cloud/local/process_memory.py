"""The process's memory: closed to others, and given back to the system when it is not used."""

from __future__ import annotations

import ctypes
import gc
import resource
from collections.abc import Callable

from nitro_workflow.cloud.local import budgets

__all__ = ["give_memory_back", "keep_for_good", "keep_memory_private", "limit_heaps"]

_PR_SET_DUMPABLE = 4  # <linux/prctl.h>
_DESCRIPTORS = 8192  # connections and open objects together, where the hard limit allows it
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # <malloc.h>


def keep_memory_private() -> None:
    """Leave no core file and let no other process of this user read our memory.

    Key material is in clear here while it is used. PR_SET_DUMPABLE 0 makes /proc/PID/mem root's.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, _DESCRIPTORS)), hard))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def limit_heaps() -> None:
    """Let a burst's buffers go back to the system when they are freed.

    By itself glibc raises its threshold with the first large buffer that is freed, keeps later
    ones in its heaps, and makes a heap for every few threads. Other C libraries have no such knob.
    """
    mallopt: Callable[[int, int], int] | None = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, budgets.ARENAS)
        mallopt(_M_MMAP_THRESHOLD, budgets.MAPPED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, budgets.MAPPED_BYTES)


def keep_for_good() -> None:
    """Let the collector pass over all that is there: modules, and what they made.

    For the start, before there is a connection: one that is alive just then would never be given
    back, with its buffers and the body that it brings, because connections are circles.
    """
    gc.collect()
    gc.freeze()


def give_memory_back() -> None:
    """Return to the system what nobody uses: circles of objects, and holes in the heaps.

    (A refusal and the frames that it came through are such a circle; the frames hold the body.)
    """
    gc.collect()
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
