"""Networks for `rnnrs.Trainer` that belong to no application: output-to-hidden, vector to sequence."""
