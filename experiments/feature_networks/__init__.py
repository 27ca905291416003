"""What features of images tell: the input side of the ImageNet network, and which sets of images are told apart."""
