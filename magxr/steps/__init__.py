"""The paper's steps, labelled arrays in, labelled arrays out: the public API."""
