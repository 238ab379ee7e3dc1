"""Clusters that a run computes on: how they are reached."""
