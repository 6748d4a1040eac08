"""What a run says about itself: the scorecard, and the same as tables and figures."""
