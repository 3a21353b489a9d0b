"""What happens next in a rollout: a state machine over recorded events."""
