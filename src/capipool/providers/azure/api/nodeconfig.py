"""How the nodes of an AKS agent pool are tuned. Fields and limits are upstream's, which are AKS's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Limits


def _bounded(least: int, most: int) -> Limits:
    return Limits(minimum=least, maximum=most)


Percent = Annotated[int, _bounded(0, 100)]


class KubeletConfig(Model):
    """Settings of the kubelet."""

    allowed_unsafe_sysctls: tuple[str, ...] = ()
    container_log_max_files: Annotated[int, Limits(minimum=2)] | None = None
    container_log_max_size_mb: int | None = msgspec.field(default=None, name="containerLogMaxSizeMB")
    cpu_cfs_quota: bool | None = None
    cpu_cfs_quota_period: str = ""
    cpu_manager_policy: Annotated[str, Limits(enum=("none", "static"))] = ""
    fail_swap_on: bool | None = None
    image_gc_high_threshold: Percent | None = None
    image_gc_low_threshold: Percent | None = None
    pod_max_pids: Annotated[int, Limits(minimum=-1)] | None = None
    topology_manager_policy: Annotated[str, Limits(enum=("none", "best-effort", "restricted", "single-numa-node"))] = ""


class Sysctls(Model):
    """Settings of Linux' kernel."""

    fs_aio_max_nr: Annotated[int, _bounded(65536, 6553500)] | None = None
    fs_file_max: Annotated[int, _bounded(8192, 12000500)] | None = None
    fs_inotify_max_user_watches: Annotated[int, _bounded(781250, 2097152)] | None = None
    fs_nr_open: Annotated[int, _bounded(8192, 20000500)] | None = None
    kernel_threads_max: Annotated[int, _bounded(20, 513785)] | None = None
    net_core_netdev_max_backlog: Annotated[int, _bounded(1000, 3240000)] | None = None
    net_core_optmem_max: Annotated[int, _bounded(20480, 4194304)] | None = None
    net_core_rmem_default: Annotated[int, _bounded(212992, 134217728)] | None = None
    net_core_rmem_max: Annotated[int, _bounded(212992, 134217728)] | None = None
    net_core_somaxconn: Annotated[int, _bounded(4096, 3240000)] | None = None
    net_core_wmem_default: Annotated[int, _bounded(212992, 134217728)] | None = None
    net_core_wmem_max: Annotated[int, _bounded(212992, 134217728)] | None = None
    net_ipv4_ip_local_port_range: str = ""
    net_ipv4_neigh_default_gc_thresh1: Annotated[int, _bounded(128, 80000)] | None = None
    net_ipv4_neigh_default_gc_thresh2: Annotated[int, _bounded(512, 90000)] | None = None
    net_ipv4_neigh_default_gc_thresh3: Annotated[int, _bounded(1024, 100000)] | None = None
    net_ipv4_tcp_fin_timeout: Annotated[int, _bounded(5, 120)] | None = msgspec.field(
        default=None, name="netIpv4TCPFinTimeout"
    )
    net_ipv4_tcp_keepalive_probes: Annotated[int, _bounded(1, 15)] | None = msgspec.field(
        default=None, name="netIpv4TCPKeepaliveProbes"
    )
    net_ipv4_tcp_keepalive_time: Annotated[int, _bounded(30, 432000)] | None = msgspec.field(
        default=None, name="netIpv4TCPKeepaliveTime"
    )
    net_ipv4_tcp_max_syn_backlog: Annotated[int, _bounded(128, 3240000)] | None = msgspec.field(
        default=None, name="netIpv4TCPMaxSynBacklog"
    )
    net_ipv4_tcp_max_tw_buckets: Annotated[int, _bounded(8000, 1440000)] | None = msgspec.field(
        default=None, name="netIpv4TCPMaxTwBuckets"
    )
    net_ipv4_tcp_tw_reuse: bool | None = msgspec.field(default=None, name="netIpv4TCPTwReuse")
    net_ipv4_tcp_keepalive_interval: Annotated[int, _bounded(1, 75)] | None = msgspec.field(
        default=None, name="netIpv4TCPkeepaliveIntvl"
    )
    net_netfilter_nf_conntrack_buckets: Annotated[int, _bounded(65536, 147456)] | None = None
    net_netfilter_nf_conntrack_max: Annotated[int, _bounded(131072, 1048576)] | None = None
    vm_max_map_count: Annotated[int, _bounded(65530, 262144)] | None = None
    vm_swappiness: Percent | None = None
    vm_vfs_cache_pressure: Annotated[int, _bounded(1, 500)] | None = None


class LinuxOSConfig(Model):
    """Settings of Linux."""

    swap_file_size_mb: Annotated[int, Limits(minimum=1)] | None = msgspec.field(default=None, name="swapFileSizeMB")
    sysctls: Sysctls | None = None
    transparent_huge_page_defrag: Annotated[
        str, Limits(enum=("always", "defer", "defer+madvise", "madvise", "never"))
    ] = ""
    transparent_huge_page_enabled: Annotated[str, Limits(enum=("always", "madvise", "never"))] = ""
