"""Go templates in files: what is supported gives what Go gives, all else is refused by name."""

from __future__ import annotations

import pytest

from capipool.providers.kubeadm import inputs
from capipool.providers.kubeadm.rendering import templates
from capipool.providers.kubeadm.rendering.boot import CannotRender
from tests.unit.kubeadm import worlds

DATA = {"controlPlane": {"version": "v1.34.1"}}


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("plain", "plain"),
        ("v={{ .controlPlane.version }}!", "v=v1.34.1!"),
        ("{{.controlPlane.version}}", "v1.34.1"),
        ("{{ if .controlPlane }}a{{ else }}b{{ end }}", "a"),
        ("{{ if .none }}a{{ else }}b{{ end }}", "b"),
        ('{{ if .none }}a{{ else if eq .controlPlane.version "v1.34.1" }}c{{ else }}b{{ end }}', "c"),
        ("{{ if .none }}{{ if .x }}y{{ else }}z{{ end }}{{ end }}-", "-"),
        ("{{ with .controlPlane }}{{ .version }}/{{ $.controlPlane.version }}{{ end }}", "v1.34.1/v1.34.1"),
        ("{{ if and .controlPlane (ne .controlPlane.version `x`) }}y{{ end }}", "y"),
        ("{{ if or .none (not .none) }}y{{ end }}", "y"),
        ('a  {{- " b " -}}  c', "a b c"),
        ("a{{/* a comment */}}b", "ab"),
        ("{{ .none }}", "<no value>"),
        ("{{ .none.deeper }}", "<no value>"),
    ],
)
def test_a_template_gives_what_go_gives(template: str, result: str) -> None:
    assert templates.render(template, DATA) == result


@pytest.mark.parametrize(
    "template",
    [
        "{{ range .x }}{{ end }}",
        '{{ printf "%s" .controlPlane.version }}',
        "{{ .controlPlane.version | quote }}",
        "{{ if .x }}",
        "{{ end }}",
        "{{ .a",
        "{{ $x := 1 }}",
        "{{ eq }}",
        "{{ .controlPlane.version.deeper }}",
        "{{ }}",
        "{{ else }}",
    ],
)
def test_what_is_not_supported_is_refused(template: str) -> None:
    with pytest.raises(CannotRender, match="template"):
        templates.render(template, DATA)


def test_files_that_are_templates_see_the_control_planes_version_in_full() -> None:
    file = {
        "path": "/a",
        "contentFormat": "Template",
        "content": "{{ if .controlPlane }}{{ .controlPlane.version }}{{ end }}",
    }
    (known,) = inputs.boot(worlds.world({"files": [file]}, control_plane_version="1.34"), "join", "t").files
    (unknown,) = inputs.boot(worlds.world({"files": [file]}), "join", "t").files
    assert (known.content, unknown.content) == (b"v1.34.0", b"")
