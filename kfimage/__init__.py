"""kfimage: one description of a site becomes everything a bare-metal node needs."""

__version__ = "0.1.0"
