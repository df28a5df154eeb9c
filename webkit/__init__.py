"""What the pages of both instances share: sign-in, sessions, roles, CSRF, headers, layout, lists, live refresh.

It knows neither side: an instance describes itself in a `Site` and hangs its own `Pages` below it.
"""
