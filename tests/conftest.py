"""What all tests share."""

from hypothesis import settings

# A busy machine, or the first import of a heavy library, is no finding.
settings.register_profile("any_machine", deadline=None)
settings.load_profile("any_machine")
