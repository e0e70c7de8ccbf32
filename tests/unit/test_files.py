"""The files that owners copy from docs/files: held to the program, and to what reads them, if it is here."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from syndicate.config.environment import keys
from tests.acceptance.newsroom import free_port
from tests.doubles.nginx import Nginx

FILES = Path(__file__).resolve().parents[2] / "docs" / "files"


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    read.read_string((FILES / name).read_text("utf-8"))
    return read


def test_systemd_finds_nothing_to_object_to_in_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    for name in ("syndicate.service", "syndicate.socket"):
        text = (FILES / name).read_text("utf-8").replace("/opt/syndicate/.venv/bin/syndicate", sys.executable)
        (tmp_path / name).write_text(text, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))], capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if "syndicate" in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


def test_a_unit_with_a_misspelt_key_would_be_objected_to(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    text = (FILES / "syndicate.socket").read_text("utf-8").replace("Backlog", "Backlock")
    (tmp_path / "syndicate.socket").write_text(text, "utf-8")
    line = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "syndicate.socket")]
    assert "Backlock" in subprocess.run(line, capture_output=True, text=True).stderr


def test_the_service_waits_as_long_as_the_program_takes() -> None:
    from syndicate.daemon import GRACE
    from syndicate.web.server import STOP_TIME

    service = unit("syndicate.service")["Service"]
    assert (service["Type"], service["TimeoutStartSec"]) == ("notify", "infinity")
    assert int(service["TimeoutStopSec"]) >= GRACE + STOP_TIME
    assert "AF_UNIX" in service["RestrictAddressFamilies"]  # it says through one that it is ready
    assert unit("syndicate.socket")["Socket"]["ListenStream"] == "127.0.0.1:8080"


def test_the_container_runs_as_nobody_special_and_composes_with_keys_there_are() -> None:
    text = (FILES / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((FILES.parents[1] / name).exists() for name in copied.split()), copied
    compose = yaml.safe_load((FILES / "compose.yaml").read_text("utf-8"))
    service = compose["services"]["syndicate"]
    told = {name.removeprefix("SYNDICATE_").lower().replace("__", ".") for name in service["environment"]}
    assert told <= set(keys())
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    build = (FILES / service["build"]["context"]).resolve()
    assert (build / service["build"]["dockerfile"]).samefile(FILES / "Dockerfile")


def test_no_address_that_holds_a_token_is_logged_by_nginx() -> None:
    text = (FILES / "nginx.conf").read_text("utf-8")
    hidden = re.search(r"location ~ \^/\(([a-z|]+)\)/ \{[^}]*access_log off;\s+error_log /dev/null;", text)
    assert hidden
    assert set(hidden[1].split("|")) >= {"unsubscribe", "preferences", "confirm", "stop", "hooks", "newsroom"}
    assert text.count("{") == text.count("}")


def test_caddy_takes_its_file() -> None:
    if shutil.which("caddy") is None:
        pytest.skip("caddy is not here")
    line = ["caddy", "validate", "--config", "Caddyfile", "--adapter", "caddyfile"]
    subprocess.run(line, cwd=FILES, check=True, capture_output=True)


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    done = Nginx(tmp_path / "nginx", port=free_port(), behind=free_port()).check()
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_nginx_would_object_to_a_misspelt_word(tmp_path: Path) -> None:
    text = (FILES / "nginx.conf").read_text("utf-8").replace("access_log off", "acces_log off")
    assert "acces_log" in Nginx(tmp_path / "nginx", port=free_port(), behind=free_port(), text=text).check().stderr
