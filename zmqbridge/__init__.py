"""The interface: JSON over ZeroMQ in front of the memories."""
