"""Create ConfigMaps as fast as one client can and print each name once it is acknowledged, until the server is gone."""

import asyncio
import sys

from capipool.client import credentials
from capipool.machinery.clock import SystemClock
from capipool.machinery.errors import ApiError
from capipool.machinery.objects import ObjectMeta, Unstructured
from capipool.machinery.resource import Resource

CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps")


async def write(kubeconfig: str, prefix: str) -> None:
    client = credentials.connect(credentials.load(kubeconfig), clock=SystemClock())
    try:
        for number in range(100_000):
            name = f"w-{prefix}-{number}"
            metadata = ObjectMeta(name=name, namespace="default")
            await client.create(
                Unstructured(api_version="v1", kind="ConfigMap", metadata=metadata), resource=CONFIG_MAPS
            )
            print(name, flush=True)
    except (ApiError, OSError):
        pass
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2]))
