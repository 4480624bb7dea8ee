"""How Ignition's data reaches an instance: as user data, or from a bucket that the user data points into.

Used when a version of a launch template is written. A bucket is taken as it is; nothing here makes one.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.api.machinepool import AWSMachinePool, Ignition
from capipool.providers.aws.places import Place
from capipool.sdk import BootstrapData, InvalidConfiguration, Launch, ProviderError
from capipool.sdk.errors import Missing

BUCKET_ANNOTATION = "capipool.io/ignition-bucket"
"""On an AWSMachinePool: where its boot data is, so that it can be deleted."""
STORED, PLAIN = "ClusterObjectStore", "UnencryptedUserData"
_VERSIONS = {"2.3": "2.3.0", "3.0": "3.0.0", "3.1": "3.1.0", "3.2": "3.2.0", "3.3": "3.3.0", "3.4": "3.4.0"}
_FIELD = "spec.ignition"


def bucket(place: Place, pool: AWSMachinePool) -> str:
    """The bucket that a pool's boot data goes into; empty where it is user data. Raises InvalidConfiguration."""
    if pool.spec.ignition is None or (pool.spec.ignition.storage_type or STORED) != STORED:
        return ""
    if place.bucket is None:
        said = f"needs spec.s3Bucket of the AWSCluster, with a bucket that is there: or choose {PLAIN}"
        raise InvalidConfiguration(f"{_FIELD}.storageType", detail=said, value=STORED)
    return place.bucket.name


async def delivered(place: Place, pool: AWSMachinePool, launch: Launch) -> BootstrapData:
    """What the user data is to be. Raises InvalidConfiguration, ProviderError, ApiError.

    Idempotence: an object of the bucket is named by its content.
    """
    boot, wanted = await launch.read_bootstrap(), pool.spec.ignition
    if boot.format != "ignition" or wanted is None:
        return boot
    where = bucket(place, pool)
    if not where:
        return BootstrapData(with_settings(boot.data, wanted), boot.format)
    key = f"{prefix(pool.key)}{hashlib.sha256(boot.data).hexdigest()}"
    await place.call("s3", "put_object", Bucket=where, Key=key, Body=boot.data)
    return BootstrapData(pointer(f"s3://{where}/{key}", wanted), boot.format)


async def discard(place: Place, pool: AWSMachinePool) -> None:
    """Delete a pool's objects from the bucket that it used. Best effort: a bucket that is gone took them along."""
    where = pool.metadata.annotations.get(BUCKET_ANNOTATION)
    if not where:
        return
    try:
        while found := await _stored(place, where, prefix(pool.key)):
            for each in found:
                await place.call("s3", "delete_object", Bucket=where, Key=each)
    except Missing:
        return
    except ProviderError:
        if place.bucket is None or not place.bucket.best_effort_delete_objects:
            raise


async def _stored(place: Place, where: str, prefix: str) -> list[str]:
    """The names of the first thousand objects: those that were listed are deleted before the next are."""
    answer = await place.call("s3", "list_objects_v2", Bucket=where, Prefix=prefix)
    return [str(found["Key"]) for found in answer.get("Contents") or ()]


def prefix(key: ObjectKey) -> str:
    """Where in a bucket the boot data of a pool is. Pure."""
    return f"machine-pool/{key.namespace}/{key.name}/"


def pointer(source: str, wanted: Ignition) -> bytes:
    """A small configuration that fetches the whole one. Pure."""
    version = _VERSIONS[wanted.version or "2.3"]
    how = "append" if version.startswith("2.") else "merge"
    made: Raw = {"ignition": {"version": version, "config": {how: [{"source": source}]}}}
    return json.dumps(_set(made, wanted)).encode()


def with_settings(data: bytes, wanted: Ignition) -> bytes:
    """The configuration with the proxies and authorities of the spec; unchanged where it names none. Pure.

    Raises InvalidConfiguration.
    """
    if not _settings(wanted):
        return data
    try:
        made: Any = json.loads(data)
    except ValueError as error:
        raise InvalidConfiguration(_FIELD, detail="the boot data is not Ignition's JSON") from error
    return json.dumps(_set(made, wanted)).encode()


def _set(config: Raw, wanted: Ignition) -> Raw:
    head = config.get("ignition") or {}
    settings = _settings(wanted)
    if "proxy" in settings and str(head.get("version", "")) < "3.1":
        said = f"Ignition takes proxies from version 3.1 on, and this is {head.get('version')}"
        raise InvalidConfiguration(f"{_FIELD}.proxy", detail=said)
    return {**config, "ignition": {**head, **settings}}


def _settings(wanted: Ignition) -> Raw:
    """The parts of a configuration's head that the spec says."""
    proxy = wanted.proxy
    said = {"httpProxy": proxy.http_proxy, "httpsProxy": proxy.https_proxy, "noProxy": list(proxy.no_proxy)}
    made: Raw = {}
    if given := {key: value for key, value in said.items() if value}:
        made["proxy"] = given
    if authorities := wanted.tls.certificate_authorities:
        made["security"] = {"tls": {"certificateAuthorities": [{"source": source} for source in authorities]}}
    return made
