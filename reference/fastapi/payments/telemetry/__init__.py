"""What the service tells of itself: metrics for alarms, traces for who looks closer."""
