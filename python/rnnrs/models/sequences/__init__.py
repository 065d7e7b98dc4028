"""Applications on sequences of numbers or tokens: classification, tagging, forecasting."""
