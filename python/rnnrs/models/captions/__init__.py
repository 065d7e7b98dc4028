"""Descriptions of pictures: a convolutional network reads a picture, the decoder writes its description."""
