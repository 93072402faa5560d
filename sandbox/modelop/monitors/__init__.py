"""The Standard Risk Tests: one module per family, each a set of functions on numpy arrays and one monitor."""
