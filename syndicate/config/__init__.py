"""The configuration: TOML and environment in, one frozen `Settings` or every problem at once out."""

from __future__ import annotations

from syndicate.config.channels import ChannelSettings, LinkedInSettings, Pace, PacedSettings, WebhookSettings
from syndicate.config.loading import CHANNEL_TABLES, load
from syndicate.config.models import (
    AlertSettings,
    DatabaseSettings,
    DigestSettings,
    DkimSettings,
    EmailSettings,
    FeedSettings,
    HooksSettings,
    HttpSettings,
    LogSettings,
    ReviewRules,
    Settings,
    Site,
    SmtpSettings,
    SourceSettings,
    WebSettings,
    secrets_of,
)
from syndicate.config.schedule import cron
from syndicate.config.start import problems_at_start
from syndicate.config.values import (
    DatabaseUrl,
    Hours,
    Secret,
    host_of,
    is_example_domain,
    is_loopback_host,
    is_loopback_url,
    is_password_hash,
    is_reserved_domain,
)

__all__ = [
    "CHANNEL_TABLES",
    "AlertSettings",
    "ChannelSettings",
    "DatabaseSettings",
    "DatabaseUrl",
    "DigestSettings",
    "DkimSettings",
    "EmailSettings",
    "FeedSettings",
    "HooksSettings",
    "Hours",
    "HttpSettings",
    "LinkedInSettings",
    "LogSettings",
    "Pace",
    "PacedSettings",
    "ReviewRules",
    "Secret",
    "Settings",
    "Site",
    "SmtpSettings",
    "SourceSettings",
    "WebSettings",
    "WebhookSettings",
    "cron",
    "host_of",
    "is_example_domain",
    "is_loopback_host",
    "is_loopback_url",
    "is_password_hash",
    "is_reserved_domain",
    "load",
    "problems_at_start",
    "secrets_of",
]
