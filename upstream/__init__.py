"""Contributions to verl, prepared for a person who reads, runs and submits them; see README.md."""
