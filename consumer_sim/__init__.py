"""An independent consumer instance: own database, own process; it knows the provider only over HTTP."""
