"""Translation tables as data. `README.md` beside this file explains them to people who write no Python."""
