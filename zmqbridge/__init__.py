"""The interface: JSON over ZeroMQ in front of the memories."""

VERSION = "0.2.0"
