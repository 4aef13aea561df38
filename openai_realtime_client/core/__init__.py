"""The hand-written behaviour of the package; everything beside this folder is generated."""
