"""REST: the own API, the seed's profile server, the web client's files, health and metrics."""

from webchat.transport.rest.services import RestSettings, Services
from webchat.transport.rest.site import build, build_seed

__all__ = ["RestSettings", "Services", "build", "build_seed"]
