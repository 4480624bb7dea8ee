"""What a pod's row says: how many containers are ready, and the one word for its state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from capipool.apiserver.printing import ages

Raw = Mapping[str, Any]


def ready(pod: Raw) -> str:
    """Ready containers of all, `1/2`."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    wanted = (pod.get("spec") or {}).get("containers") or ()
    return f"{sum(1 for s in statuses if s.get('ready'))}/{len(wanted)}"


def restarts(pod: Raw, now: dt.datetime) -> str:
    """How often containers were restarted, and how long ago the last was."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    count = sum(s.get("restartCount") or 0 for s in statuses)
    ends = [((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for s in statuses]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({ages.since(last, now)} ago)" if count and last else str(count)


def state(pod: Raw) -> str:
    """The most telling word: why it waits, how it ended, that it is going, else its phase."""
    status = pod.get("status") or {}
    word = status.get("reason") or status.get("phase") or "Unknown"
    if (starting := _starting(pod)) is not None:
        word = starting
    else:
        word = _running(status, word)
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(word)


def _starting(pod: Raw) -> str | None:
    """What an init container holds up; None where none does."""
    wanted = (pod.get("spec") or {}).get("initContainers") or ()
    for i, status in enumerate((pod.get("status") or {}).get("initContainerStatuses") or ()):
        state_of = status.get("state") or {}
        ended, waiting = state_of.get("terminated"), state_of.get("waiting") or {}
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if ended is not None:
            return f"Init:{_end(ended)}"
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{i}/{len(wanted)}"
    return None


def _running(status: Raw, word: str) -> str:
    has_running = False
    for each in reversed(status.get("containerStatuses") or []):
        state_of = each.get("state") or {}
        if (state_of.get("waiting") or {}).get("reason"):
            word = state_of["waiting"]["reason"]
        elif state_of.get("terminated") is not None:
            word = _end(state_of["terminated"])
        elif each.get("ready") and state_of.get("running") is not None:
            has_running = True
    return "Running" if word == "Completed" and has_running else word


def _end(terminated: Raw) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"
