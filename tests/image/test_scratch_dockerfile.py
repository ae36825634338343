"""Dockerfiles without a base, built where there is no Docker."""

import contextlib
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.errors import ImageError, ServiceError
from nitro_workflow.image import built_dockerfile, open_container_image
from nitro_workflow.image.container import dockerfile
from nitro_workflow.image.container.scratch_dockerfile import (
    DEFAULT_PATH,
    NEEDS_TOOL,
    parse_scratch_dockerfile,
)


@pytest.fixture
def no_tools(monkeypatch):
    monkeypatch.setattr(dockerfile, "TOOLS", ())


@pytest.fixture
def folder(tmp_path):
    files = {
        "bin/app": (b"#!/bin/sh\n", 0o755),
        "bin/tool": (b"tool", 0o700),
        "data/a.txt": (b"a", 0o644),
        "data/deep/b.txt": (b"b", 0o600),
        "secret.pem": (b"key", 0o600),
    }
    for name, (content, mode) in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    (tmp_path / "data/link").symlink_to("a.txt")
    return tmp_path


def build(folder, text):
    """Path → (kind, mode, content or target), and the configuration."""
    (folder / "Dockerfile").write_text(text)
    with built_dockerfile(folder) as archive, open_container_image(archive) as image:
        seen = {}
        for node in image.tree.nodes:
            content = b"".join(node.content()) if node.content else b""
            kind = {stat.S_IFREG: "file", stat.S_IFLNK: "symlink"}.get(stat.S_IFMT(node.mode))
            seen[os.fsdecode(node.path)] = (kind, stat.S_IMODE(node.mode), content)
        return seen, image.config, image.image_id


def test_files_folders_links_and_modes(no_tools, folder):
    text = """# a comment
FROM scratch AS only
COPY bin/app bin/tool /bin/
COPY data \\
  /srv
WORKDIR /srv/deep
COPY --chmod=755 secret.pem key.pem
CMD ["/bin/app", "-v"]
"""
    found, config, _ = build(folder, text)
    assert found["bin/app"] == ("file", 0o755, b"#!/bin/sh\n")
    assert found["bin/tool"][1] == 0o700
    assert found["srv/a.txt"] == ("file", 0o644, b"a")
    assert found["srv/link"][0::2] == ("symlink", b"a.txt")
    assert found["srv/deep/b.txt"][2] == b"b"
    assert found["srv/deep/key.pem"] == ("file", 0o755, b"key")
    assert config["Cmd"] == ["/bin/app", "-v"]
    assert config["WorkingDir"] == "/srv/deep"
    assert config["Env"] == [f"PATH={DEFAULT_PATH}"]


def test_the_same_files_give_the_same_image(no_tools, folder):
    text = "FROM scratch\nCOPY . /\nENTRYPOINT /bin/app\n"
    first = build(folder, text)[2]
    os.utime(folder / "bin/app", (1, 1))
    assert build(folder, text)[2] == first
    (folder / "bin/app").write_bytes(b"other")
    assert build(folder, text)[2] != first


def test_dockerignore(no_tools, folder):
    (folder / ".dockerignore").write_text("**/*.pem\n# note\ndata/*\n!data/deep\nDockerfile\n")
    found, config, _ = build(folder, "FROM scratch\nCOPY . /all\nCMD x y\n")
    files = sorted(path for path, it in found.items() if it[0] == "file")
    assert files == ["all/.dockerignore", "all/bin/app", "all/bin/tool", "all/data/deep/b.txt"]
    assert config["Cmd"] == ["/bin/sh", "-c", "x y"]
    with pytest.raises(ImageError, match=r"\.dockerignore"):
        build(folder, "FROM scratch\nCOPY secret.pem /\nCMD x\n")


def test_environment_and_labels():
    text = 'FROM scratch\nCOPY a /\nENV A=1 B="two words"\nENV PATH /bin\nLABEL org.x="y z"\nUSER 5\nEXPOSE 80\n'
    config = parse_scratch_dockerfile(text).config
    assert config["Env"] == ["A=1", "B=two words", "PATH=/bin"]
    assert config["Labels"] == {"org.x": "y z"}
    assert config["User"] == "5"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("RUN make", "RUN"),
        ("FROM alpine", "FROM alpine"),
        ("ARG X=1", "ARG"),
        ("COPY --from=build /a /b", "--from"),
        ("COPY --chown=5:5 a b", "--chown"),
        ("COPY $X /", r"\$X"),
        ("COPY a", "COPY a"),
        ("COPY <<EOF /a", "<<EOF"),
        ("ADD https://x.example/a /", "fetched"),
        ("ADD a.tar.gz /", "unpacked"),
        ("ENV A=$B", "variable"),
        ('ENV "', "closing"),
        ("SHELL [\"/bin/bash\"]", "SHELL"),
    ],
)  # fmt: skip
def test_what_needs_a_tool_is_said_with_its_line(line, what):
    with pytest.raises(ImageError, match=what) as caught:
        parse_scratch_dockerfile(f"FROM scratch\n\n{line}\n")
    assert caught.value.where == "Dockerfile, line 3"
    assert caught.value.code == NEEDS_TOOL


@pytest.mark.parametrize(
    "text",
    ["", "FROM scratch\nCMD x\n", "COPY a b\n", "# escape=`\nFROM scratch\n", "FROM a\nFROM b\n"],
)
def test_what_is_no_dockerfile_of_this_kind(text):
    with pytest.raises(ImageError):
        parse_scratch_dockerfile(text)


def test_without_a_tool_a_base_image_is_refused(no_tools, folder):
    with pytest.raises(ServiceError, match="RUN: that needs a tool") as caught:
        build(folder, "FROM scratch\nRUN make\n")
    assert "line 2" in caught.value.where


@pytest.mark.parametrize("source", ["../x", "absent", "*.none", "out", "gone"])
def test_nothing_from_outside_the_folder(no_tools, folder, source):
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "gone").symlink_to("nowhere")
    with pytest.raises(ImageError, match="COPY"):
        build(folder, f"FROM scratch\nCOPY {source} /\nCMD x\n")


def test_a_pipe_is_no_content(no_tools, folder):
    os.mkfifo(folder / "data/pipe")
    with pytest.raises(ImageError, match="pipe"):
        build(folder, "FROM scratch\nCOPY data /\nCMD x\n")


@given(st.text(max_size=300))
def test_any_text_is_a_plan_or_an_error(text):
    with contextlib.suppress(ImageError):
        assert parse_scratch_dockerfile("FROM scratch\nCOPY a /\n" + text).config["Env"]
