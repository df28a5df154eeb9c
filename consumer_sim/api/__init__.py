"""HTTP endpoints of the consumer: load with a schema, one service call, dump. No query, no rule."""
