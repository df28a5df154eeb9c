"""The wire, and the engine that carries it between two instances; it knows neither side."""
