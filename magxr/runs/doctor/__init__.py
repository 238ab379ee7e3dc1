"""What a machine, or a cluster, has that magxr needs, and what to do about what it lacks."""
