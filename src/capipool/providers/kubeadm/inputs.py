"""From what was observed to what a machine boots with: secrets resolved, templates evaluated, discovery filled in.

Pure. `decide` calls it to know the digest of the data, `apply` to make the data itself, with its token.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from capipool.api.builtin import Secret
from capipool.api.constants import TaintKey
from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.providers.kubeadm import certificates, trust, versions
from capipool.providers.kubeadm.certificates import Certificate
from capipool.providers.kubeadm.rendering import documents, templates
from capipool.providers.kubeadm.rendering.boot import Boot, CannotRender, File, Kubeadm
from capipool.providers.kubeadm.versions import KubeadmVersion
from capipool.providers.kubeadm.world import World

JSON = Any
Mode = Literal["init", "join"]
KUBECONFIG_SUFFIX = "kubeconfig"
KUBECONFIG_KEY = "value"
_UNINITIALIZED = {"key": TaintKey.UNINITIALIZED, "effect": "NoSchedule"}
_DISCOVERY = "spec.joinConfiguration.discovery"


class Missing(Exception):
    """Something that the data is made from is not there yet. The message says what, and nothing secret."""


class CertificateMissing(Missing):
    """A certificate of the cluster is not there, or cannot be read."""


def secret_names(spec: Mapping[str, Any]) -> set[str]:
    """The secrets that the spec takes content from."""
    sources = [f.get("contentFrom") for f in spec.get("files") or ()]
    sources += [u.get("passwdFrom") for u in spec.get("users") or ()]
    return {source["secret"]["name"] for source in sources if source}


def needs_token(world: World) -> bool:
    """Whether a joining machine is to get a token that is made here.

    Not where it discovers by a file, nor where the spec names a token that lives and that somebody else keeps.
    """
    discovery = _discovery(world)
    if discovery.get("file"):
        return False
    return world.given is None or world.given.ours


def boot(world: World, mode: Mode, token: str) -> Boot:
    """What the machine boots with. Raises Missing, CannotRender, UnsupportedVersion."""
    assert world.owner is not None, "there is no data without a machine"
    spec = world.spec
    version = versions.kubeadm_api(versions.parse(world.owner.spec.version))
    kubeadm, files = _init(world, version) if mode == "init" else _join(world, version, token)
    ignition = (spec.get("ignition") or {}).get("containerLinuxConfig") or {}
    return Boot(
        kubeadm=kubeadm,
        files=(*files, *_files(world)),
        users=tuple(_users(world)),
        ntp=spec.get("ntp") or {},
        disk_setup=spec.get("diskSetup") or {},
        mounts=tuple(tuple(mount) for mount in spec.get("mounts") or ()),
        boot_commands=tuple(spec.get("bootCommands") or ()),
        pre_kubeadm_commands=tuple(spec.get("preKubeadmCommands") or ()),
        post_kubeadm_commands=tuple(spec.get("postKubeadmCommands") or ()),
        additional_config=ignition.get("additionalConfig") or "",
        strict=bool(ignition.get("strict")),
    )


# --- kubeadm


def _join(world: World, version: KubeadmVersion, token: str) -> tuple[Kubeadm, list[File]]:
    assert world.owner is not None
    join: Raw = dict(world.spec.get("joinConfiguration") or {})
    files: list[File] = []
    if world.owner.control_plane:
        join.setdefault("controlPlane", {})
        files += control_plane_files(world)
    elif "controlPlane" in join:
        raise CannotRender("spec.joinConfiguration.controlPlane is set, but the machine is a worker")
    else:
        join["nodeRegistration"] = _with_taint(join.get("nodeRegistration") or {})
    discovery = _discovery(world)
    if file := discovery.get("file"):
        if file.get("kubeConfig"):
            files.append(_discovery_kubeconfig(world, file))
        join["discovery"] = discovery
    else:
        join["discovery"] = {**discovery, "bootstrapToken": _token_discovery(world, token)}
    document = documents.join_configuration(join, version)
    return Kubeadm(command="join", documents=(document,), verbosity=world.spec.get("verbosity")), files


def _init(world: World, version: KubeadmVersion) -> tuple[Kubeadm, list[File]]:
    spec = world.spec
    init: Raw = spec.get("initConfiguration") or {}
    health_check = (init.get("timeouts") or {}).get("controlPlaneComponentHealthCheckSeconds")
    cluster = documents.cluster_configuration(
        spec.get("clusterConfiguration") or {}, version, facts=_cluster_facts(world), health_check=health_check
    )
    both = (cluster, documents.init_configuration(init, version))
    return Kubeadm(command="init", documents=both, verbosity=spec.get("verbosity")), control_plane_files(world)


def _cluster_facts(world: World) -> Raw:
    """What ClusterConfiguration takes from the Cluster and the Machine."""
    assert world.cluster is not None
    assert world.owner is not None
    network = world.cluster.spec.cluster_network
    networking = {
        "serviceSubnet": ",".join(network.services.cidr_blocks) if network.services else "",
        "podSubnet": ",".join(network.pods.cidr_blocks) if network.pods else "",
        "dnsDomain": network.service_domain,
    }
    facts: Raw = {"clusterName": world.cluster.metadata.name, "kubernetesVersion": world.owner.spec.version}
    if endpoint := trust.endpoint_of(world.cluster):
        facts["controlPlaneEndpoint"] = endpoint
    if networking := {key: value for key, value in networking.items() if value}:
        facts["networking"] = networking
    return facts


def _with_taint(registration: Mapping[str, Any]) -> Raw:
    """Workers join tainted, until their labels are in step: a pod must not land on a node that is not labelled yet."""
    taints = list(registration.get("taints") or ())
    known = any(t.get("key") == TaintKey.UNINITIALIZED and t.get("effect") == "NoSchedule" for t in taints)
    return {**registration, "taints": taints if known else [*taints, _UNINITIALIZED]}


# --- discovery


def _discovery(world: World) -> Raw:
    join = world.spec.get("joinConfiguration") or {}
    return join.get("discovery") or {}


def _token_discovery(world: World, token: str) -> Raw:
    given = dict(_discovery(world).get("bootstrapToken") or {})
    if not given.get("apiServerEndpoint"):
        given["apiServerEndpoint"] = _endpoint(world)
    if not given.get("caCertHashes"):
        try:
            given["caCertHashes"] = list(trust.ca_hashes(_cluster_ca(world)))
        except trust.NoTrust as error:
            raise CertificateMissing(str(error)) from error
    text = token if world.given is None or world.given.ours else world.given.text
    return given | {"token": text}


def _endpoint(world: World) -> str:
    """Where the API server is: the Cluster says, or else its kubeconfig."""
    assert world.cluster is not None
    if endpoint := trust.endpoint_of(world.cluster):
        return endpoint
    return _from_kubeconfig(world, "Waiting for Cluster spec.controlPlaneEndpoint to be set")[0]


def _cluster_ca(world: World) -> bytes:
    """PEM of the cluster's CA: from its own secret, or else from the kubeconfig."""
    assert world.cluster is not None
    name = f"{world.cluster.metadata.name}-{certificates.CLUSTER_CA}"
    secret = world.secrets.get(name)
    if secret is not None and (pem := secret.data.get(certificates.CRT)):
        return pem
    try:
        _, pem = _from_kubeconfig(world, f"secret {name} with the cluster's CA does not exist")
    except Missing as error:
        raise CertificateMissing(str(error)) from error
    if not pem:
        raise CertificateMissing(f"secret {name} does not exist, and the cluster's kubeconfig holds no CA")
    return pem


def _from_kubeconfig(world: World, otherwise: str) -> tuple[str, bytes]:
    assert world.cluster is not None
    secret = world.secrets.get(f"{world.cluster.metadata.name}-{KUBECONFIG_SUFFIX}")
    content = secret.data.get(KUBECONFIG_KEY) if secret is not None else None
    if not content:
        raise Missing(otherwise)
    try:
        return trust.from_kubeconfig(content)
    except trust.NoTrust as error:
        raise Missing(str(error)) from error


def _discovery_kubeconfig(world: World, file: Mapping[str, Any]) -> File:
    """The kubeconfig that the spec describes, its server and CA filled in where they are not given."""
    described = file["kubeConfig"]
    cluster: Raw = dict(described.get("cluster") or {})
    path = f"{_DISCOVERY}.file.kubeConfig"
    if not cluster.get("server"):
        cluster["server"] = f"https://{_endpoint(world)}"
    cluster = {_KUBECONFIG_NAMES.get(key, key): value for key, value in cluster.items()}
    if not cluster.get("certificate-authority-data"):
        cluster["certificate-authority-data"] = base64.b64encode(_cluster_ca(world)).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default", "cluster": cluster}],
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
        "current-context": "default",
        "users": [{"name": "default", "user": _kubeconfig_user(described.get("user") or {}, path)}],
    }
    content = codec.encode_yaml(config).encode()
    return File(path=file["kubeConfigPath"], content=content, owner="root:root", permissions="0640")


_KUBECONFIG_NAMES = {
    "certificateAuthorityData": "certificate-authority-data",
    "insecureSkipTLSVerify": "insecure-skip-tls-verify",
    "proxyURL": "proxy-url",
    "tlsServerName": "tls-server-name",
}


def _kubeconfig_user(user: Mapping[str, Any], path: str) -> Raw:
    if provider := user.get("authProvider"):
        return {"auth-provider": dict(provider)}
    if command := user.get("exec"):
        defaults = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}
        return {"exec": defaults | dict(command)}
    raise CannotRender(f"{path}.user: one of authProvider and exec must be set")


# --- files and users


def control_plane_files(world: World) -> list[File]:
    """The certificates of a control plane machine. Raises CertificateMissing."""
    return [file for certificate, secret in _certificates(world) for file in certificates.files(certificate, secret)]


def _certificates(world: World) -> Iterator[tuple[Certificate, Secret]]:
    assert world.cluster is not None
    for certificate in certificates.of_control_plane(world.spec.get("clusterConfiguration") or {}):
        name = certificate.secret_name(world.cluster.metadata.name)
        secret = world.secrets.get(name)
        if secret is None or not certificates.is_complete(certificate, secret):
            raise CertificateMissing(f"secret {name} does not exist, or lacks its certificate or key")
        yield certificate, secret


def _files(world: World) -> Iterator[File]:
    for i, file in enumerate(world.spec.get("files") or ()):
        yield File(
            path=file["path"],
            content=_content(world, file, f"spec.files[{i}]"),
            owner=file.get("owner") or "",
            permissions=file.get("permissions") or "",
            encoding=file.get("encoding") or "",
            append=bool(file.get("append")),
        )


def _content(world: World, file: Mapping[str, Any], path: str) -> bytes:
    if source := file.get("contentFrom"):
        content = _of_secret(world, source["secret"], f"{path}.contentFrom")
    else:
        content = str(file.get("content") or "").encode()
    if file.get("contentFormat") != "Template":
        return content
    try:
        return templates.render(content.decode(), _template_data(world)).encode()
    except (CannotRender, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, CannotRender) else "the template is not text"
        raise CannotRender(f"{path}: {why}") from error


def _template_data(world: World) -> Raw:
    """NB: without a known version the key is not there at all, so that a template can ask for it."""
    if not world.control_plane_version:
        return {}
    return {"controlPlane": {"version": str(versions.parse(world.control_plane_version))}}


def _users(world: World) -> Iterator[Raw]:
    for i, user in enumerate(world.spec.get("users") or ()):
        plain = {key: value for key, value in user.items() if key != "passwdFrom"}
        if source := user.get("passwdFrom"):
            password = _of_secret(world, source["secret"], f"spec.users[{i}].passwdFrom")
            plain["passwd"] = password.decode("utf-8", "replace")
        yield plain


def _of_secret(world: World, reference: Mapping[str, str], path: str) -> bytes:
    secret = world.secrets.get(reference["name"])
    if secret is None:
        raise Missing(f"{path}: secret {reference['name']} does not exist")
    content = secret.data.get(reference["key"])
    if content is None:
        raise Missing(f"{path}: secret {reference['name']} has no key {reference['key']}")
    return content
