"""A real S3 server on this machine (moto's), and a proxy before it that refuses what it is told to."""

import http.client
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "AKIAMAGXRTESTKEY"
SECRET, TOKEN = "a-Secret/that+nobody-may-Read", "a-Session-Token-that-nobody-may-Read"
PATIENCE = 120
"""Seconds in which the server must have started."""


@contextmanager
def serving():
    """Start moto's server in a process of its own; yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, "moto's server ended at once"
                assert time.monotonic() < end, "moto's server did not start"
                time.sleep(0.05)
        yield port
    finally:
        server.kill()
        server.wait()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def environment(port):
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


class Proxy:
    """Hands requests on to a server but for a share of them, and those with another key."""

    def __init__(self, port, share, seed=3):
        self.port, self.share, self.refused, self.handed = port, share, 0, 0
        self.luck, self.lock = random.Random(seed), threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                key = re.search("Credential=([^/]*)/", self.headers.get("Authorization", ""))
                if key is None or key.group(1) != KEY:
                    self.answer(403, {}, error("InvalidAccessKeyId", "The key does not exist."))
                    return
                with proxy.lock:
                    no = proxy.luck.random() < proxy.share
                    proxy.refused, proxy.handed = proxy.refused + no, proxy.handed + (not no)
                if no:
                    self.answer(503, {}, error("SlowDown", "Please reduce your request rate."))
                    return
                there = http.client.HTTPConnection("127.0.0.1", proxy.port)
                there.request(self.command, self.path, body, dict(self.headers))
                found = there.getresponse()
                headers = {k: v for k, v in found.getheaders() if k.lower() not in HOP}
                self.answer(found.status, headers, found.read())
                there.close()

            def answer(self, status, headers, body):
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_one

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


HOP = ("connection", "transfer-encoding", "server", "date", "keep-alive")


def error(code, message):
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


_forgotten = []


def forget_clients():
    """Have S3 asked with what is in the environment now."""
    import s3fs

    from magxr.io import reach

    _forgotten.extend(s3fs.S3FileSystem._cache.values())  # a client that is collected complains
    s3fs.S3FileSystem.clear_instance_cache()
    reach._reached.clear()
