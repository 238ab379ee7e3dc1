"""Certificates of a cluster that speaks TLS: are they there, and what to do where one refuses the other."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magxr.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCRYPTED = ("tls", "wss")
"""How addresses begin that are reached through TLS only."""
MAKE = "export DASK_CONFIG=FOLDER/dask.yaml, of the folder that deploy/tls/make_certificates.sh made for it"
START = "start one with: dask scheduler --host 127.0.0.1 --dashboard-address 127.0.0.1:8787"


def check_certificates(address: str) -> None:
    """Refuse an address that this process could not reach with the certificates it has; nobody is asked yet.

    Parameters
    ----------
    address : str
        Of a Dask scheduler, such as "tls://node7:8786".

    Raises
    ------
    StoreError
        If it needs a certificate and none is set, one that is set cannot be read or does not go with its key,
        or the configuration of Dask forbids addresses without encryption.
    """
    import dask
    from distributed.security import Security

    if address.split("://")[0] not in ENCRYPTED:
        if dask.config.get("distributed.comm.require-encryption", None):
            name = "distributed.comm.require-encryption"
            fix = "use the cluster's tls:// address, or unset it"
            msg = f"{address} is not encrypted, and {name} is set; {fix}"
            raise StoreError(msg)
        return
    role = Security().get_tls_config_for_role("client")
    unset = [name for name, key in _SETTINGS.items() if key != "key" and not role[key]]
    if unset:
        msg = f"{address} needs a certificate, but {' and '.join(unset)} are not set; {MAKE}"
        raise StoreError(msg.replace("are not", "is not") if len(unset) == 1 else msg)
    for name, key in _SETTINGS.items():
        path = role[key]
        if path and "\n" not in path and not os.access(path, os.R_OK):
            what = "cannot be read" if Path(path).exists() else "does not exist"
            msg = f"{address} needs a certificate, but {path} ({name}) {what}; restore it, or {MAKE}"
            raise StoreError(msg)
    try:
        Security().get_connection_args("client")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = ", ".join(str(role[key]) for key in _SETTINGS.values() if role[key])
        msg = f"{address}: the certificates {files} cannot be used ({error}); {MAKE}"
        raise StoreError(msg) from error


_SETTINGS = {
    "distributed.comm.tls.ca-file": "ca_file",
    "distributed.comm.tls.client.cert": "cert",
    "distributed.comm.tls.client.key": "key",
}
"""What must be set for Dask, and what distributed calls it; a key may lie in its certificate."""


def explained(error: BaseException, address: str) -> StoreError:
    """Return what to tell somebody whose connection to a scheduler failed.

    Parameters
    ----------
    error : BaseException
        As `distributed.Client` raised it.
    address : str
        Of the scheduler.

    Returns
    -------
    StoreError
        To be raised from ``error``. If one side did not like the other's certificate it says so.
    """
    encrypted = address.split("://")[0] in ENCRYPTED
    chain = list(_chain(error))
    refused = next((e for e in chain if isinstance(e, ssl.SSLError)), None)
    plain = next((e for e in chain if any(word in str(e) for word in _NO_TLS)), None)
    if isinstance(refused, ssl.SSLCertVerificationError):
        why = _short(refused)
        msg = f"the scheduler at {address} has a certificate that is not trusted here ({why}); {MAKE}"
    elif encrypted and plain is not None:
        fix = "give it as tcp:// if you trust the network, or start it with certificates"
        msg = f"what answers at {address} does not speak TLS ({_short(plain)}); {fix}"
    elif encrypted and (refused is not None or _closed(chain)):
        why = _short(chain[-1])
        msg = f"the scheduler at {address} refused the certificate of this process ({why}); {MAKE}"
    elif _closed(chain):
        msg = (
            f"what answers at {address} closed the connection, as a scheduler that speaks TLS does; give its "
            f"address as tls:// and {MAKE}"
        )
    else:
        fix = "look at what deploy/tls/README.md starts" if encrypted else START
        msg = f"no Dask scheduler answers at {address} within 10 s; {fix}"
    return StoreError(msg)


_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "convert to SSL",
)
"""What OpenSSL says of an answer that is no TLS, and Tornado of one that came before it was asked for."""


def _closed(chain: list[BaseException]) -> bool:
    """Tell whether somebody took the call and hung up: so TLS refuses who is no longer told."""
    return any(isinstance(e, ConnectionResetError | BrokenPipeError | EOFError) for e in chain) or any(
        "closed" in str(e).lower() for e in chain
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _short(error: Any) -> str:
    """Return the reason without the place in OpenSSL's source."""
    return str(error).split(" (_ssl.c")[0].strip()
