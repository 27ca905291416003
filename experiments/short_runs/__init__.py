"""Short runs of several systems, each with its scores and pictures, for one page."""
