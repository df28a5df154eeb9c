"""Use cases: lock, ask the domain, write, record the event. They never commit, enqueue, send, or see Flask."""
