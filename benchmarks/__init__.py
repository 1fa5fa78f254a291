"""The figures that the documents quote, each measured against its peer in the same run: `make bench`."""
