"""Regions of pictures: boxes, and the phrases that describe them."""
