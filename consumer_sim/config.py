"""What a consumer instance is told by its environment."""

from dataclasses import dataclass, field, fields

from environs import validate

from bridge.config import InstanceConfig, deferred, read_instance_config, seal


@dataclass(frozen=True, slots=True)
class ConsumerConfig(InstanceConfig):
    api_token: str
    """Whoever has it may do everything that people do here."""
    unknown_events: tuple[str, ...] = field(default=(), kw_only=True)
    """Types of events that this instance acts as if it did not know, as an older version would."""


def read_config() -> ConsumerConfig:
    """Raises ConfigurationInvalid that names every wrong setting."""
    env = deferred()
    shared = read_instance_config(env)
    api_token = env.str("SXG_API_TOKEN", validate=validate.Length(min=16, max=512))
    unknown_events: tuple[str, ...] = tuple(env.list("SXG_UNKNOWN_EVENTS", default=[]))
    seal(env)
    told = {one.name: getattr(shared, one.name) for one in fields(InstanceConfig)}
    return ConsumerConfig(**told, api_token=api_token, unknown_events=unknown_events)
