"""The Dockerfile: each of its lines is carried out in a Debian made by debootstrap, and the image's command does the main job."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = ROOT / "Dockerfile"
CERTIFICATES, CERTIFICATES_INSIDE = Path("/etc/ssl/certs/ca-certificates.crt"), "/opt/certificates-of-this-machine.crt"


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its continued lines joined."""

    word: str
    rest: str


def instructions() -> list[Instruction]:
    text = DOCKERFILE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in joined]


@dataclass
class Stage:
    """A stage of the build: its file system, and what its instructions set."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    folder: str = "/"

    def run(self, command: list[str]) -> str:
        """Run a command in the stage, as its user and in its folder. Raises CalledProcessError where it fails."""
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        settings = [
            path,
            "HOME=/root" if self.user == "root" else f"HOME=/home/{self.user}",
            "DEBIAN_FRONTEND=noninteractive",
        ]
        settings += [f"{name}={value}" for name, value in (_of_this_machine() | self.environment).items()]
        inside = ["sh", "-c", 'cd "$0" && exec "$@"', self.folder, "env", "-i", *settings, *command]
        done = subprocess.run(
            ["chroot", f"--userspec={self.user}", str(self.root), *inside], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout


def _of_this_machine() -> dict[str, str]:
    """What this machine needs to reach package indices: no part of the image."""
    own = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or "proxy" in name.casefold()}
    return own | ({"PIP_CERT": CERTIFICATES_INSIDE} if CERTIFICATES.is_file() else {})


@contextmanager
def bound(root: Path) -> Iterator[None]:
    """The kernel's file systems and this machine's settings of apt and pip, in a root while it lasts."""
    settings = [
        "/etc/pip.conf",
        "/etc/xdg/pip",
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/apt",
        str(Path.home() / ".config/pip"),
    ]
    # Copied and not bound: the package ca-certificates writes its bundle anew, which must not be this machine's.
    for inside in (CERTIFICATES_INSIDE, str(CERTIFICATES)) if CERTIFICATES.is_file() else ():
        target = root / inside.lstrip("/")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CERTIFICATES, target)
    local = set(
        re.findall(
            r"(?:file://|=)(/opt/[\w./-]+)",
            " ".join([*(f"={v}" for v in _of_this_machine().values()), _pip_settings()]),
        )
    )
    with ExitStack() as mounts:
        for place in ["/proc", "/dev", *settings, *sorted(f"/{p.split('/')[1]}/{p.split('/')[2]}" for p in local)]:
            source = Path(place)
            if not source.exists():
                continue
            target = root / place.lstrip("/")
            if source.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
            subprocess.run(["mount", "--bind", place, str(target)], check=True)
            mounts.callback(subprocess.run, ["umount", "--lazy", str(target)], check=True)
        yield


def _pip_settings() -> str:
    places = [Path("/etc/pip.conf"), Path("/etc/xdg/pip/pip.conf"), Path.home() / ".config/pip/pip.conf"]
    return "=" + " =".join(path.read_text(encoding="utf-8") for path in places if path.is_file())


def copy_context(stage: Stage, rest: str, stages: dict[str, Stage]) -> None:
    """COPY: from an earlier stage, or what .dockerignore leaves of the files that git knows."""
    *options, source, target = rest.split()
    place = stage.root / target.lstrip("/")
    if options:
        origin = stages[options[0].removeprefix("--from=")].root / source.lstrip("/")
        shutil.copytree(origin, place, symlinks=True)
        return
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.M)
    listed = subprocess.run(["git", "ls-files", *allowed], capture_output=True, text=True, check=True, cwd=ROOT)
    for name in listed.stdout.splitlines():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)


def words_of(rest: str) -> list[str]:
    return json.loads(rest) if rest.startswith("[") else ["sh", "-c", rest]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_line_of_the_dockerfile_is_carried_out(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if os.geteuid() or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap to make a Debian")
    base, stages, stage, carried_out = tmp_path / "base", {}, Stage(tmp_path), []
    request.addfinalizer(lambda: shutil.rmtree(tmp_path, ignore_errors=True))  # gigabytes, which pytest would keep
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", str(base)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no Debian can be made here: {made.stdout[-300:]}")
    with ExitStack() as mounts:
        for instruction in instructions():
            word, rest = instruction.word, instruction.rest
            if word == "FROM":
                assert rest.startswith("debian:bookworm-slim")
                name = rest.partition(" AS ")[2] or "last"
                stage = stages[name] = Stage(tmp_path / name)
                subprocess.run(["cp", "--archive", str(base), str(stage.root)], check=True)
                mounts.enter_context(bound(stage.root))
            elif word in ("ENV", "ARG"):
                name, _, value = rest.partition("=")
                stage.environment[name] = value.strip('"')
            elif word == "COPY":
                copy_context(stage, rest, stages)
            elif word == "USER":
                stage.user = rest
            elif word == "WORKDIR":
                stage.folder = rest
            elif word == "RUN":
                stage.run(words_of(rest))
                carried_out.append(rest)
            else:
                assert word in ("ENTRYPOINT", "CMD"), word
        entry = next(json.loads(i.rest) for i in instructions() if i.word == "ENTRYPOINT")
        assert len(carried_out) == sum(i.word == "RUN" for i in instructions())
        printed = stages["last"].run([*entry, "demo", "--out", "/data/demo"])
        assert "planted" in printed
        assert (stages["last"].root / "data/demo/reports/tonight/item.json").stat().st_uid == 10_001


def test_the_image_is_small_in_rights_and_words() -> None:
    """What a scheduler's policy asks: no root, one entry point, nothing of the build's tools in the last stage."""
    found = instructions()
    last = found[max(at for at, i in enumerate(found) if i.word == "FROM") :]
    assert [i.rest for i in last if i.word == "USER"] == ["specvae"]
    assert not any("gcc" in i.rest for i in last)
    assert [i.word for i in last][-2:] == ["ENTRYPOINT", "CMD"]
