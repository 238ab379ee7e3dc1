"""Transfer models: trunk, head, training, prediction."""
