"""The gateway of an installation without containers: nginx's configuration, its certificate, and who is behind it.

A replica that dies is noticed by nginx, which passes its call on to another one and leaves it alone for some seconds.
One that hangs is ended by `ReplicaWatch` and started again. nginx's list is never rewritten: reloading it was measured
to break calls, since it closes the idle connections that callers are about to use.
"""

import datetime as dt
import ipaddress
import logging
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ner.errors import InvalidSetting
from ner.settings import Settings
from workbench.launcher import asking

TEMPLATE = Path(__file__).parents[1] / "deploy" / "gateway" / "nginx.conf.template"
_VARIABLE = re.compile(r"\$\{(GATEWAY_[A-Z_]+)\}")
FAIL_TIMEOUT_SECONDS = 5
"""How long nginx leaves a replica alone that it could not reach."""
_CERTIFICATE_DAYS = 825
_LOOK_SECONDS = 2.0
_PATIENCE = 6
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Behind:
    """The ports on this machine of what stands behind the gateway."""

    api: tuple[int, ...]
    screens: int
    mlflow: int


def find_nginx() -> str:
    """The path of nginx. Raises InvalidSetting where it is not installed."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise InvalidSetting("nginx is not installed; install it, for example with 'apt-get install nginx'.")
    return found


def render(template: str, variables: Mapping[str, str]) -> str:
    """The template with each `${GATEWAY_…}` replaced. Raises KeyError for one that has no value."""
    return _VARIABLE.sub(lambda found: variables[found[1]], template)


def configuration(settings: Settings, behind: Behind, certificate: tuple[Path, Path]) -> str:
    """nginx's configuration for this machine. Raises InvalidSetting where the template is not there."""
    if not TEMPLATE.exists():
        raise InvalidSetting(f"{TEMPLATE} is missing; start the gateway from a checkout of the project.")
    folder = settings.home / "gateway"
    return render(
        TEMPLATE.read_text("utf-8"),
        {
            "GATEWAY_FOLDER": str(folder),
            "GATEWAY_LOG": str(settings.home / "logs" / "gateway.access.log"),
            "GATEWAY_RESOLVER": "",
            "GATEWAY_API_SERVERS": api_servers(behind.api),
            "GATEWAY_SCREENS_SERVERS": f"server 127.0.0.1:{behind.screens};",
            "GATEWAY_MLFLOW_SERVERS": f"server 127.0.0.1:{behind.mlflow};",
            "GATEWAY_TLS_LISTEN": f"{settings.host}:{settings.https_port}",
            "GATEWAY_INSIDE_LISTEN": f"127.0.0.1:{settings.port}",
            "GATEWAY_INSIDE_PORT": str(settings.port),
            # Plain HTTP that reaches the port of TLS is redirected; a port of its own is the container's.
            "GATEWAY_REDIRECT_LISTEN": f"unix:{redirect_socket(settings)}",
            "GATEWAY_CERTIFICATE": str(certificate[0]),
            "GATEWAY_PRIVATE_KEY": str(certificate[1]),
            "GATEWAY_CORS_ORIGINS": "|".join(re.escape(origin) for origin in settings.cors_origins),
            "GATEWAY_RATE": str(settings.gateway_requests_per_second),
            "GATEWAY_UPLOAD_MEGABYTES": str(settings.max_upload_megabytes),
        },
    )


def redirect_socket(settings: Settings) -> Path:
    """Where nginx answers plain HTTP. One that was killed leaves it behind, and the next cannot listen there."""
    return settings.home / "gateway" / "redirect.sock"


def api_servers(ports: Iterable[int]) -> str:
    """The lines of nginx's upstream, one for each replica."""
    return " ".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout={FAIL_TIMEOUT_SECONDS}s;" for port in ports)


def write_configuration(settings: Settings, text: str) -> Path:
    """Put the configuration in place, whole or not at all, and return its path."""
    folder = settings.home / "gateway"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / "nginx.conf"
    draft = folder / ".nginx.conf"
    draft.write_text(text, "utf-8")
    draft.replace(target)
    return target


def nginx_command(configuration_path: Path) -> list[str]:
    """nginx in the foreground, its processes run by who starts them."""
    user = f"user {_user_name()};" if os.getuid() == 0 else ""
    where = ["-p", str(configuration_path.parent), "-c", str(configuration_path)]
    return [find_nginx(), *where, "-g", f"daemon off; {user}"]


def certificate_of(settings: Settings) -> tuple[Path, Path]:
    """The certificate and its key: those of the settings, or self-signed ones in NER_HOME, made when needed.

    Raises InvalidSetting where only one of the two settings is set, or a file is not there.
    """
    if bool(settings.tls_certificate) != bool(settings.tls_private_key):
        raise InvalidSetting("NER_TLS_CERTIFICATE and NER_TLS_PRIVATE_KEY belong together; set both or neither.")
    if settings.tls_certificate:
        named = Path(settings.tls_certificate).resolve(), Path(settings.tls_private_key).resolve()
        for path in named:
            if not path.is_file():
                raise InvalidSetting(f"The certificate or key {path} is not there; set it to a PEM file.")
        return named
    own = settings.home / "gateway.crt", settings.home / "gateway.key"
    if not (own[0].exists() and own[1].exists()):
        make_certificate(*own, names=("localhost",), addresses=("127.0.0.1", "::1"))
    return own


def make_certificate(
    certificate: Path, key: Path, *, names: Sequence[str], addresses: Sequence[str], until: dt.datetime | None = None
) -> None:
    """Write a self-signed certificate for these names and addresses, and its key of mode 600. It holds `until` then;
    two years unless said.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    alternatives: list[x509.GeneralName] = [x509.DNSName(one) for one in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(until or now + dt.timedelta(days=_CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(secret, hashes.SHA256())
    )
    key.parent.mkdir(parents=True, exist_ok=True)
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


@dataclass(slots=True)
class ReplicaWatch:
    """Ends a replica that hangs, so that it is started again.

    A replica that answered once and then missed `patience` looks hangs. Where none answers, none is ended: what they
    have in common is at fault, the machine or the database. `process_of` tells which process serves a port, `end` ends
    it.
    """

    ports: Sequence[int]
    process_of: Callable[[int], int | None]
    end: Callable[[int], None]
    look_seconds: float = _LOOK_SECONDS
    patience: int = _PATIENCE
    _answered: dict[int, int | None] = field(default_factory=dict)
    _missed: dict[int, int] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, in a thread."""
        self._thread = threading.Thread(target=self._watch, name="replica-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Look once after every replica."""
        with ThreadPoolExecutor(len(self.ports)) as threads:
            well = {
                port for port, is_well in zip(self.ports, threads.map(_is_well, self.ports), strict=True) if is_well
            }
        for port in self.ports:
            self._note(port, port in well)
        for port in self.ports if well else ():
            if self._missed[port] >= self.patience:
                _LOG.warning("The replica on port %d hangs; it is ended.", port)
                self.end(port)
                self._missed[port] = 0

    def _note(self, port: int, is_well: bool) -> None:
        process = self.process_of(port)
        if is_well:
            self._answered[port] = process
        # One that never answered is still starting.
        has_answered = port in self._answered and self._answered[port] == process
        self._missed[port] = 0 if is_well or not has_answered else self._missed.get(port, 0) + 1

    def _watch(self) -> None:
        while not self._stopping.wait(self.look_seconds):
            self.look()


def _is_well(port: int) -> bool:
    try:
        answer = asking().get(f"http://127.0.0.1:{port}/v2/health/live", timeout=_LOOK_SECONDS)
        return answer.status_code == 200
    except httpx.HTTPError:
        return False


def _user_name() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name
