"""HTTP endpoints: load with a schema, one service call, dump. No query, no rule."""
