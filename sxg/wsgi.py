"""Where gunicorn enters, in each of its processes: `sxg.wsgi:provider()` and `sxg.wsgi:consumer()`."""

from flask import Flask

from bridge.logs import configure_logging


def provider() -> Flask:
    """The provider's app, told by the environment."""
    from provider.app import create_app  # noqa: PLC0415 - a process loads its own side only
    from provider.config import read_config  # noqa: PLC0415

    configure_logging("provider-web")
    return create_app(read_config())


def consumer() -> Flask:
    """The consumer's app, told by the environment."""
    from consumer_sim.app import create_app  # noqa: PLC0415
    from consumer_sim.config import read_config  # noqa: PLC0415

    configure_logging("consumer-web")
    return create_app(read_config())
