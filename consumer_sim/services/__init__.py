"""Use cases of the consumer: write and record the call. They never commit, enqueue, or see Flask; only connecting
sends.
"""
