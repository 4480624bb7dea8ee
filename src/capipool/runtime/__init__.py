"""The controller runtime: caches, work queues, controllers, the manager. The front door of the package."""

from capipool.runtime.cache import Cache, Caches
from capipool.runtime.controller import Controller
from capipool.runtime.election import Election
from capipool.runtime.events import EventRecorder
from capipool.runtime.manager import LostLeadership, Manager
from capipool.runtime.reconcile import DONE, Done, Reconciler, RequeueAfter, Result, Selecting, TerminalError

__all__ = [
    "DONE",
    "Cache",
    "Caches",
    "Controller",
    "Done",
    "Election",
    "EventRecorder",
    "LostLeadership",
    "Manager",
    "Reconciler",
    "RequeueAfter",
    "Result",
    "Selecting",
    "TerminalError",
]
