"""Kubernetes versions that upstream's images are in the marketplace for, with the version of the offer. Facts, all old.

Used by `images`. Upstream offers newer ones in its community gallery, and adds nothing here any more.
"""

from __future__ import annotations


def _versions(minor: str, first: int, days: str) -> dict[str, str]:
    """The day that each patch's image was made on: `1.28`, 1 and `20230829` say `1.28.1: 128.1.20230829`."""
    return {
        f"{minor}.{patch}": f"{minor.replace('.', '')}.{patch}.{day}" for patch, day in enumerate(days.split(), first)
    }


OLD_LINUX = {
    **_versions("1.27", 14, "20240517 20240612 20240717"),
    **_versions("1.28", 1, "20230829 20230918 20231023 20231130 20240102 20240201"),
    **_versions("1.28", 7, "20240223 20240327 20240418 20240517 20240612 20240717"),
    **_versions("1.29", 1, "20240206 20240223 20240327 20240418 20240517 20240612 20240717"),
    **_versions("1.30", 0, "20240506 20240517 20240612 20240717"),
}
OLD_WINDOWS = {
    **_versions("1.27", 14, "20240515"),
    **_versions("1.28", 1, "20230830 20230918 20231023 20231122 20240102 20240201"),
    **_versions("1.28", 7, "20240223 20240327 20240418 20240515 20240612 20240717"),
    **_versions("1.29", 1, "20240201 20240223 20240327 20240418 20240515 20240612 20240717"),
    **_versions("1.30", 0, "20240418 20240515 20240612 20240717"),
}
