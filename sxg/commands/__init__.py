"""The commands of `sxg`, by whom they serve. Each module loads only what its commands need."""
