"""SQLAlchemy rows and their constraints, nothing else."""
