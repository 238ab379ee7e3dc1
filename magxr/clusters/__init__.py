"""Where a run computes beyond this process: described as data, opened, checked, and closed again."""
