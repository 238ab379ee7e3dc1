"""A cluster with the certificates of deploy/tls: a run on it, who is refused, and where it can be reached."""

import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import threading

import dask
import distributed  # noqa: F401 - its defaults, before any are changed
import psutil
import pytest

import magxr
from magxr.clusters.opening import connected
from magxr.clusters.reading import described
from magxr.clusters.tls import check_certificates, explained
from magxr.errors import StoreError
from magxr.synthetic.seafloor import demo_region
from tests.deploy.tls_cluster import ROOT, certificates, cluster, environment, settings
from tests.runs.test_blocks import assert_same_stores

FILES = ["ca.pem", "client-key.pem", "client.pem", "dask.yaml", "scheduler-key.pem", "scheduler.pem"]
FILES += ["worker-key.pem", "worker.pem"]
SMALL = {"stride": 60, "steps": 2, "chunk": 140, "max_gap": 2}


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ours") / "tls"
    assert certificates(folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """The certificates of another cluster: nothing wrong with them but who signed."""
    folder = tmp_path_factory.mktemp("theirs") / "tls"
    assert certificates(folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def running(ours, tmp_path_factory):
    with cluster(ours, tmp_path_factory.mktemp("cluster")) as found:
        yield found


BARE = {"distributed.comm.require-encryption": None, "distributed.comm.tls.ca-file": None}
BARE |= {f"distributed.comm.tls.client.{part}": None for part in ("cert", "key")}


# ---- the script


def test_only_the_owner_can_read_what_is_made(ours):
    assert sorted(p.name for p in ours.iterdir()) == FILES  # the authority's key is gone
    assert stat.S_IMODE(ours.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in ours.iterdir()} == {0o600}
    text = (ours / "dask.yaml").read_text()
    for path in re.findall(r'"(.*\.pem)"', text):
        assert os.path.exists(path)  # noqa: PTH110 - as Dask has it
    assert settings(ours)["distributed.comm.require-encryption"] is True


def test_what_is_there_stays_as_it_is(ours, tmp_path):
    before = {p.name: p.read_bytes() for p in ours.iterdir()}
    again = certificates(ours)
    assert again.returncode == 1
    assert "is already there, and is left as it is" in again.stderr
    assert {p.name: p.read_bytes() for p in ours.iterdir()} == before
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    assert certificates(link).returncode == 1
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("days", ["", "0", "-1", "x", "1;2"])
def test_days_that_are_none(tmp_path, days):
    refused = certificates(tmp_path / "tls", days)
    assert (refused.returncode, "give a whole number of days" in refused.stderr) == (2, True)
    assert not (tmp_path / "tls").exists()


def test_a_folder_that_yaml_could_not_name(tmp_path):
    refused = certificates(tmp_path / 'a"b')
    assert (refused.returncode, "choose another folder" in refused.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []
    assert certificates(tmp_path / "with a space", "30").returncode == 0
    assert check_ends(tmp_path / "with a space", 30)


def test_half_a_folder_is_never_left(tmp_path, monkeypatch):
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "openssl").write_text('#!/bin/sh\n[ "$1" = x509 ] && exit 1\nexec /usr/bin/openssl "$@"\n')
    (fake / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    assert certificates(tmp_path / "tls").returncode == 1
    assert not (tmp_path / "tls").exists()


def check_ends(folder, days):
    """Tell whether all certificates of a folder end after so many days, to the day."""

    def lasts(name, seconds):
        command = ["openssl", "x509", "-in", str(folder / name), "-noout", "-checkend", str(seconds)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    names = ("ca.pem", "scheduler.pem", "worker.pem", "client.pem")
    return all(lasts(n, (days - 1) * 86400) and not lasts(n, (days + 1) * 86400) for n in names)


def test_certificates_last_a_year(ours):
    assert check_ends(ours, 365)


def test_a_clients_certificate_makes_nobody_a_scheduler(ours):
    """Who stole it could connect, but nobody would connect to him."""
    for role, believed in (("scheduler", True), ("worker", True), ("client", False)):
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(ours / f"{role}.pem", ours / f"{role}-key.pem")
        client = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(ours / "ca.pem"))
        client.check_hostname = False
        here, there = socket.socketpair()
        thread = threading.Thread(target=answer, args=(server, there))
        thread.start()
        try:
            if believed:
                client.wrap_socket(here).close()
            else:
                with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
                    client.wrap_socket(here)
        finally:
            here.close()
            thread.join()


def answer(context, connection):
    try:
        context.wrap_socket(connection, server_side=True).close()
    except OSError:
        connection.close()


# ---- a run


@pytest.mark.slow
def test_a_run_on_it_is_the_local_run(ours, running, tmp_path):
    sea = tmp_path / "sea.nc"
    demo_region((260, 270), chunks=(200, 210))[["anomaly"]].load().to_netcdf(sea)
    address = running[0]
    assert address.startswith("tls://127.0.0.1:")
    given = [w for name, value in SMALL.items() for w in (f"--{name.replace('_', '-')}", str(value))]
    script = "import sys; from magxr.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", script, "run", str(sea), "--out", str(tmp_path / "far.zarr"), *given]
    command += ["--engine", "blocks", "--scheduler", address]
    done = subprocess.run(command, env=environment(ours), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    magxr.run(str(sea), tmp_path / "near.zarr", engine="blocks", scheduler="threads", **SMALL)
    assert_same_stores(tmp_path / "far.zarr", tmp_path / "near.zarr")


def test_it_is_reached_from_this_machine_only(running):
    found = [p for pid in running[1] for p in (psutil.Process(pid), *psutil.Process(pid).children(True))]
    places = {c.laddr.ip for p in found for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert len(found) >= 5  # the scheduler, two nannies, two workers
    assert places == {"127.0.0.1"}


# ---- who is refused


def refused(address):
    with pytest.raises(StoreError) as caught, connected(described(address), least=0):
        pytest.fail("it was let in")
    return str(caught.value)


def test_who_has_the_certificate_is_let_in(ours, running):
    with dask.config.set(settings(ours)), connected(described(running[0]), least=0) as client:
        assert client.submit(sum, [1, 2]).result() == 3


def test_a_plain_client_is_refused(running):
    plain = running[0].replace("tls://", "tcp://")
    with dask.config.set(BARE):
        said = refused(plain)
    assert f"what answers at {plain} closed the connection" in said
    assert "give its address as tls:// and export DASK_CONFIG=FOLDER/dask.yaml" in said


def test_a_client_without_a_certificate_is_refused_before_it_calls(running):
    with dask.config.set(BARE):
        said = refused("tls://192.0.2.1:8786")  # nobody there: it would take 10 s to find out
        assert said == refused(running[0]).replace(running[0], "tls://192.0.2.1:8786")
    assert (
        "needs a certificate, but distributed.comm.tls.ca-file and distributed.comm.tls.client.cert are"
        in said
    )
    assert "export DASK_CONFIG=FOLDER/dask.yaml" in said


def test_a_certificate_of_another_authority_is_refused(theirs, running):
    with dask.config.set(settings(theirs)):
        said = refused(running[0])
    assert f"the scheduler at {running[0]} has a certificate that is not trusted here" in said
    assert "export DASK_CONFIG=FOLDER/dask.yaml" in said


def test_a_client_that_trusts_the_scheduler_is_refused_all_the_same(ours, theirs, running):
    """It asks for nothing and has ca.pem, which is no secret: the scheduler looks at the client too."""
    with (
        dask.config.set(settings(theirs)),
        dask.config.set({"distributed.comm.tls.ca-file": f"{ours}/ca.pem"}),
    ):
        said = refused(running[0])
    assert f"the scheduler at {running[0]} refused the certificate of this process" in said


def test_an_address_without_encryption_is_refused_where_it_is_required(ours, running):
    with dask.config.set(settings(ours)):
        said = refused(running[0].replace("tls", "tcp"))
    assert (
        "is not encrypted, and distributed.comm.require-encryption is set; use the cluster's tls://" in said
    )


def test_a_scheduler_that_speaks_no_tls(ours, tmp_path):
    with cluster(None, tmp_path, "tcp", workers=0) as (address, _):
        with dask.config.set(settings(ours)):
            said = refused(address.replace("tcp", "tls"))
        assert "does not speak TLS" in said
        with dask.config.set(BARE), connected(described(address), least=0) as client:
            assert client.scheduler_info()["workers"] == {}


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        (
            {"client.cert": "gone.pem"},
            r"gone\.pem \(distributed\.comm\.tls\.client\.cert\) does not exist; restore",
        ),
        ({"client.key": "worker-key.pem"}, r"cannot be used \(.*(KEY_VALUES_MISMATCH|mismatch)"),
        ({"ca-file": "dask.yaml"}, "cannot be used"),
        ({"client.cert": None}, r"but distributed\.comm\.tls\.client\.cert is not set; export DASK_CONFIG"),
    ],
)
def test_certificates_that_cannot_be_used(ours, changed, match):
    key, name = next(iter(changed.items()))
    path = None if name is None else str(ours / name)
    with (
        dask.config.set(settings(ours)),
        dask.config.set({f"distributed.comm.tls.{key}": path}),
        pytest.raises(StoreError, match=match),
    ):
        check_certificates("tls://127.0.0.1:8786")


# ---- what the pages tell people to start


def test_what_is_documented_listens_on_a_named_interface():
    """Where no host is given Dask listens on all of them; a scheduler's or a worker's port runs any code."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
    commands = [
        c for p in pages for c in re.findall(r"^\s*(dask (?:scheduler|worker)\b.*)$", p.read_text(), re.M)
    ]
    assert len(commands) >= 4
    for command in commands:
        assert "--host " in command, command
        assert "--dashboard-address 127.0.0.1:" in command, command


@pytest.mark.parametrize(
    ("address", "error", "cause", "match"),
    [
        (
            "tls://a:1",
            OSError("x"),
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong"),
            "does not speak TLS",
        ),
        ("tls://a:1", ValueError("IOStream is not idle; cannot convert to SSL"), None, "does not speak TLS"),
        ("tls://a:1", OSError("x"), ssl.SSLEOFError(8, "EOF occurred"), "refused the certificate of this"),
        (
            "tls://a:1",
            OSError("[SSL: TLSV1_ALERT_UNKNOWN_CA]"),
            OSError("Stream is closed"),
            "refused the certif",
        ),
        ("tls://a:1", OSError("x"), ConnectionResetError(104, "reset"), "refused the certificate of this"),
        (
            "tcp://a:1",
            OSError("x"),
            ConnectionResetError(104, "reset"),
            "closed the connection, as a scheduler that",
        ),
        (
            "tls://a:1",
            OSError("Timed out"),
            None,
            "no Dask scheduler answers at tls://a:1 .*deploy/tls/README",
        ),
        (
            "tcp://a:1",
            OSError("Timed out"),
            None,
            "no Dask scheduler answers at tcp://a:1 .*--host 127.0.0.1",
        ),
    ],
)
def test_what_connections_fail_with(address, error, cause, match):
    """Which of these it is depends on who is faster, so all that were seen are here."""
    error.__cause__ = cause
    told = explained(error, address)
    assert isinstance(told, StoreError)
    assert re.search(match, str(told)), told
