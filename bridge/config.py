"""What every instance is told by its environment; all faults are reported at once, and nothing is read elsewhere."""

from dataclasses import dataclass, field
from pathlib import Path

from environs import Env, EnvError, validate
from marshmallow import ValidationError

from bridge.attachments import DEFAULT_LIMIT_BYTES, DEFAULT_TYPES, AttachmentLimits
from bridge.errors import BridgeError


class ConfigurationInvalid(BridgeError):
    """One or more settings are missing or wrong; the text names each."""


@dataclass(frozen=True, slots=True)
class InstanceConfig:
    """Settings that provider and consumer share. Units are in the names."""

    database_url: str
    redis_url: str
    """Empty: no Redis; the sweeper then drains by itself."""
    data_dir: Path
    public_url: str
    instance_name: str
    display_name: str
    """What people call it, on its pages and at the other side."""
    egress_allow: tuple[str, ...]
    """CIDRs that may be reached although they are private, and over plain http."""
    lease_s: float
    sweep_s: float
    failpoint: str
    heartbeat_s: float = field(default=30.0, kw_only=True)
    attachments: AttachmentLimits = field(default_factory=AttachmentLimits, kw_only=True)


def read_instance_config(env: Env) -> InstanceConfig:
    """Reads SXG_* from the environment. `env` must be a deferred one: the caller seals it after reading its own
    settings.
    """
    instance_name = env.str("SXG_INSTANCE_NAME", validate=validate.Regexp(r"^[A-Za-z0-9-]{1,60}$"))
    return InstanceConfig(
        database_url=env.str("SXG_DATABASE_URL", validate=_database_url),
        redis_url=env.str("SXG_REDIS_URL", default=""),
        data_dir=env.path("SXG_DATA_DIR"),
        public_url=env.str("SXG_PUBLIC_URL", validate=validate.URL(schemes={"http", "https"}, require_tld=False)),
        instance_name=instance_name,
        display_name=env.str("SXG_DISPLAY_NAME", default="", validate=_display_name) or instance_name,
        egress_allow=tuple(env.list("SXG_EGRESS_ALLOW", default=[])),
        lease_s=env.float("SXG_LEASE_S", default=30.0, validate=validate.Range(min=3, max=600)),
        sweep_s=env.float("SXG_SWEEP_S", default=5.0, validate=validate.Range(min=0.2, max=60)),
        heartbeat_s=env.float("SXG_HEARTBEAT_S", default=30.0, validate=validate.Range(min=0.2, max=3600)),
        attachments=_read_attachment_limits(env),
        failpoint=env.str("SXG_FAILPOINT", default="") if env.bool("SXG_ALLOW_FAILPOINTS", default=False) else "",
    )


def _read_attachment_limits(env: Env) -> AttachmentLimits:
    most = validate.Range(min=1, max=16 * 1024**3)
    size_bytes = env.int("SXG_ATTACHMENT_LIMIT_BYTES", default=DEFAULT_LIMIT_BYTES, validate=most)
    types = env.list("SXG_ATTACHMENT_TYPES", default=list(DEFAULT_TYPES))
    per_task = env.int("SXG_ATTACHMENTS_PER_TASK", default=100, validate=validate.Range(min=0, max=1000))
    return AttachmentLimits(size_bytes, tuple(one.strip().strip(".").lower() for one in types or ()), per_task)


def seal(env: Env) -> None:
    """Raises ConfigurationInvalid that names every wrong setting, one a line."""
    try:
        env.seal()
    except EnvError as error:
        faults = getattr(error, "error_messages", {})
        lines = [f"{name}: {' '.join(map(str, messages))}" for name, messages in sorted(faults.items())]
        raise ConfigurationInvalid("\n".join(lines) or str(error)) from None


def deferred() -> Env:
    """An environment that collects faults until it is sealed."""
    return Env(eager=False)


def _display_name(value: str) -> None:
    """What the wire takes for a name: it can be seen, and has no blanks around it."""
    if len(value) > 60 or value != value.strip() or not value.isprintable():
        raise ValidationError("has at most 60 characters that can be seen, without blanks around them")


def _database_url(value: str) -> None:
    if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValidationError("begins with sqlite:/// or postgresql://")
