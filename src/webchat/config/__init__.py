"""The settings of the process. Only `app`, `tuning` and the command know this package."""

from webchat.config.combinations import contradictions
from webchat.config.fields import ENV_PREFIX, SettingsError, env_name, option_name
from webchat.config.places import DynamoPlace, dynamo_place, sqlite_path
from webchat.config.settings import PARTS, Settings, default_data_dir

__all__ = [
    "DynamoPlace",
    "ENV_PREFIX",
    "PARTS",
    "Settings",
    "SettingsError",
    "contradictions",
    "default_data_dir",
    "dynamo_place",
    "env_name",
    "option_name",
    "sqlite_path",
]
