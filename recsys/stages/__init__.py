"""The stages of the pipeline as library calls: each finds what an earlier run left and goes on from there."""
