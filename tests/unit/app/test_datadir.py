"""A data directory belongs to one process, and its secrets to one user."""

from pathlib import Path

import pytest

from capipool.app.datadir import DataDir, DataDirInUse, write_private


def test_a_second_user_of_the_directory_is_told_who_has_it(tmp_path: Path) -> None:
    first, second = DataDir(tmp_path / "d"), DataDir(tmp_path / "d")
    first.open()
    with pytest.raises(DataDirInUse, match=r"in use by another capipool \(process \d+\).*--data-dir"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_only_the_owner_may_look_inside(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "a" / "b")
    data.open()
    write_private(data.kubeconfig, "secret")
    data.close()
    assert data.path.stat().st_mode & 0o077 == 0
    assert data.kubeconfig.stat().st_mode & 0o077 == 0
    assert [p.name for p in data.path.iterdir() if p.name.startswith(".")] == []
