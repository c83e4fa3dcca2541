"""The interface app: it brings the command that runs the orchestrator."""

from django.apps import AppConfig


class ZmqbridgeConfig(AppConfig):
    name = "zmqbridge"
