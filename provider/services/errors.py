"""What the use cases of access and connections refuse, beyond the rules of `provider.domain.errors`."""

from provider.domain.errors import DomainError


class NotAuthenticated(DomainError):
    """No token, or none that is known and still valid."""

    def __str__(self) -> str:
        return "a valid bearer token is needed"


class NotPermitted(DomainError):
    """The user is known but none of their roles holds the permission; `roles` tells whose do."""

    def __init__(self, permission: str, roles: tuple[str, ...]) -> None:
        super().__init__(permission, roles)
        self.permission = permission
        self.roles = roles

    def __str__(self) -> str:
        return f"this needs the permission {self.permission}, which these roles hold: {', '.join(self.roles)}"


class ConnectionNotActive(DomainError):
    """The consumer is known, but its connection is not in a state in which it may do this."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state

    def __str__(self) -> str:
        return f"the connection is {self.state}; this needs an active one"


class RegistrationTokenInvalid(DomainError):
    """The registration token is unknown, expired or spent; which of these is not told."""

    def __str__(self) -> str:
        return "the registration token is unknown, expired or used up; ask the provider for a new one"


class CredentialsInvalid(DomainError):
    """Client id and secret do not belong together, or no longer."""

    def __str__(self) -> str:
        return "the client id or the client secret is wrong"


class ChallengeFailed(DomainError):
    """The callback did not echo the challenge."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the callback did not prove itself: {self.reason}"


class FileRefused(DomainError):
    """A file that we do not take; `code` is a word for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message
