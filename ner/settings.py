"""Every setting of the workbench, read once by each door from `NER_*` variables or `.env`."""

import re
import secrets
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from ner.errors import InvalidSetting
from ner.roles import Role


class Settings(BaseSettings):
    """One instance per process. Paths and URLs that are left empty are derived from `home`."""

    model_config = SettingsConfigDict(
        env_prefix="NER_", env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    home: Path = Field(Path("var"), description="The one folder that holds all state.")
    host: str = Field("127.0.0.1", description="Address that the workbench and the API listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the workbench and the API.")
    https_port: int = Field(8443, ge=1, le=65535, description="Port of the gateway, for people and programs (TLS).")
    tls_certificate: str = Field("", description="PEM file of the gateway; empty means a self-signed one in NER_HOME.")
    tls_private_key: str = Field("", description="PEM file of the certificate's key.")
    api_replicas: int = Field(3, ge=1, le=64, description="API processes behind the gateway.")
    gateway_requests_per_second: int = Field(
        1000, ge=1, description="Requests a second from one address that the gateway lets through."
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1", description="Addresses whose X-Forwarded headers are believed: the gateway's."
    )
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of the MLflow server.")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in NER_HOME.", repr=False)
    redis_url: str = Field("", description="Redis URL; empty means counters and cache in process.", repr=False)
    artifacts_url: str = Field(
        "", description="Folder or s3:// bucket of packages and snapshots; empty means NER_HOME/artifacts."
    )
    s3_endpoint_url: str = Field("", description="Address of an S3 store that is not Amazon's.")
    mlflow_url: str = Field("", description="MLflow tracking URI; empty means SQLite in NER_HOME.", repr=False)
    secret_key: str = Field("", description="Key of sessions and hashes; empty means one kept in NER_HOME.", repr=False)
    old_secret_keys: list[str] = Field(
        default_factory=list, description="Earlier secret keys: keys made under them hold, texts open.", repr=False
    )
    signing_private_key: str = Field("", description="PEM file that signs packages; empty means one in NER_HOME.")
    signing_public_key: str = Field("", description="PEM file that packages are checked with; empty means NER_HOME's.")
    url: str = Field("http://127.0.0.1:8000", description="Where the command line finds the server.")
    api_key: str = Field("", description="Key that the command line sends; empty means NER_HOME/admin.key.", repr=False)
    rate_limit_per_hour: int = Field(1000, ge=1, description="Requests an hour for a new key.")
    role_rate_limits: dict[Role, int] = Field(
        default_factory=dict, description="Requests an hour by role, for callers without a limit of their own."
    )
    cache_entries: int = Field(10_000, ge=0, description="Answers that one process keeps in memory.")
    max_text_characters: int = Field(100_000, ge=100, description="Longest text that predict accepts.")
    max_batch_texts: int = Field(256, ge=1, description="Most texts in one batch request.")
    max_upload_megabytes: int = Field(512, ge=1, description="Largest file that import accepts.")
    spool_megabytes: int = Field(256, ge=1, description="Disk for log rows while the database is away.")
    log_days: int = Field(90, ge=1, description="Days that rows of the prediction log are kept.")
    rollup_days: int = Field(800, ge=1, description="Days that counts of the log are kept, minutes for two of them.")
    low_confidence: float = Field(0.5, ge=0, le=1, description="Answers below this are offered for correction.")
    log_rows_per_second: int = Field(
        0, ge=0, description="Answers that a process logs a second while no canary is on trial; 0 means all."
    )
    capture_sample: float = Field(
        0.01, ge=0, le=1, description="Share of the other answers kept for correction, while capture is on."
    )
    captured_text_days: int = Field(30, ge=1, description="How long a captured text is kept.")
    kept_packages: int = Field(20, ge=1, description="Newest versions whose packages are kept unpacked.")
    disk_reserve_megabytes: int = Field(1000, ge=0, description="Room on the disk that imports and training leave.")
    backup_repository: str = Field(
        "", description="Where restic keeps backups: a folder, or s3:https://host/bucket; empty means none.", repr=False
    )
    backup_password: str = Field("", description="Password of that repository; empty means NER_HOME's.", repr=False)
    backup_hours: float = Field(12, gt=0, le=24, description="How often the worker makes a backup.")
    sign_in_hours: int = Field(12, ge=1, le=720, description="How long a browser stays signed in.")
    oidc_issuer: str = Field("", description="OpenID Connect provider whose people may sign in; empty means none.")
    oidc_client_id: str = Field("", description="What the provider calls this installation.")
    oidc_client_secret: str = Field("", description="The secret that it shares with the provider.", repr=False)
    oidc_name: str = Field("your organisation", description="What the sign-in page calls the provider.")
    oidc_role: Role = Field("viewer", description="Role of a person who signs in by the provider for the first time.")
    cors_origins: list[str] = Field(
        default_factory=list, description="Origins of other sites whose pages may call the API with a key."
    )
    access_token_minutes: int = Field(15, ge=1, le=1440, description="How long an access token of the API lasts.")
    serving_threads: int = Field(1, ge=1, le=64, description="Threads that run models in one API process.")
    longest_wait_ms: int = Field(
        150, ge=1, le=60_000, description="How long a text may wait for the model before it is refused."
    )
    poll_seconds: float = Field(0.5, gt=0, le=2, description="How often a process looks for a switch of version.")
    webhook_private_addresses: bool = Field(
        False, description="Whether webhooks may go to private addresses, and by plain HTTP."
    )
    endpoint_private_addresses: bool = Field(
        False, description="Whether endpoints of suggestions may have private addresses, and plain HTTP."
    )
    measure_seconds: float = Field(300, gt=0, description="How often the worker measures versions against traffic.")
    gauge_seconds: float = Field(15, gt=0, description="How often a process reads what it shows Prometheus of them.")
    ray_address: str = Field("", description="Ray cluster of bulk and sweeps; empty means processes of this machine.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe log line.")

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, value: str) -> str:
        # Most people and most platforms write the scheme alone; SQLAlchemy would then look for another driver.
        return re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", value)

    @field_validator("database_url", "redis_url", "mlflow_url")
    @classmethod
    def _of_a_host(cls, value: str) -> str:
        # What takes a password apart as if it were a port quotes it in its complaint.
        try:
            _ = urlsplit(value).port
        except ValueError:
            raise ValueError("is no URL; in a password write / as %2F, @ as %40, : as %3A, # as %23") from None
        return value

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.home / 'workbench.db'}"

    @property
    def artifacts(self) -> Path:
        """The folder of packages and snapshots; beside a bucket, what this machine has fetched of it."""
        if not self.artifacts_url or self.bucket_url:
            return self.home / "artifacts"
        return Path(self.artifacts_url.removeprefix("file://"))

    @property
    def bucket_url(self) -> str:
        """The bucket of packages and snapshots; empty where they are kept in a folder."""
        return self.artifacts_url if self.artifacts_url.startswith("s3://") else ""

    @property
    def signing_keys(self) -> tuple[Path, Path]:
        """The private and the public key of packages."""
        return (
            Path(self.signing_private_key or self.home / "signing.key"),
            Path(self.signing_public_key or self.home / "signing.pub"),
        )

    @property
    def mlflow(self) -> str:
        """The MLflow tracking URI in force."""
        return self.mlflow_url or f"sqlite:///{self.home / 'mlflow.db'}"


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and `.env`. Raises InvalidSetting with one sentence per broken variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InvalidSetting(" ".join(_sentence(problem) for problem in error.errors())) from None
    except SettingsError as error:
        name = re.search(r'field "(\w+)"', str(error))
        named = f"NER_{name[1].upper()}" if name else "A setting"
        raise InvalidSetting(f'{named} is no JSON, such as ["one", "two"] for a list.') from None


def _sentence(problem: Any) -> str:
    """What is wrong with one variable. The value of a secret is not repeated."""
    name, reason = str(problem["loc"][0]), problem["msg"].removeprefix("Value error, ")
    is_secret = name in Settings.model_fields and not Settings.model_fields[name].repr
    said = f": {reason}" if is_secret else f" is '{problem.get('input')}': {reason.lower()}"
    return f"NER_{'_'.join(str(part) for part in problem['loc']).upper()}{said}."


def secret_key(settings: Settings) -> bytes:
    """The key in force: NER_SECRET_KEY, or 32 random bytes made once in NER_HOME, readable by the owner only."""
    return secret_keys(settings)[0]


def secret_keys(settings: Settings) -> list[bytes]:
    """The key in force, then those that were in force before: of NER_OLD_SECRET_KEYS, or the file's further lines."""
    if settings.secret_key:
        return [key.encode() for key in (settings.secret_key, *settings.old_secret_keys)]
    path = secret_key_path(settings)
    if not path.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        write_secret(path, secrets.token_hex(32))
    return [key.encode() for key in (*path.read_text().split(), *settings.old_secret_keys)]


def secret_key_path(settings: Settings) -> Path:
    """Where the secret key is kept unless NER_SECRET_KEY says it: the one in force on the first line."""
    return settings.home / "secret.key"


def write_secret(path: Path, value: str) -> None:
    """Write `value` to a new file of mode 600. A file that another process made first is kept."""
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return
    path.write_text(value + "\n")
