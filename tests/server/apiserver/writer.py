"""A server in a process of its own, for tests that kill it: serves a file over HTTP until its input ends."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from capipool.apiserver import authn
from capipool.apiserver.http import serve
from capipool.apiserver.server import Server
from capipool.apiserver.store.sqlite import SQLiteJournal
from capipool.machinery.calls import ADMIN
from capipool.machinery.clock import SystemClock


async def main(path: str, token: str) -> None:
    server = Server(journal=SQLiteJournal(Path(path)), clock=SystemClock(), rng=random.Random())
    await server.start()
    listener = await serve(server, authenticator=authn.Authenticator({token: ADMIN}), tls=None)
    print(listener.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the test lets go
    await listener.close()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
