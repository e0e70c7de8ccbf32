"""The settings as frozen values: every key of config.toml with its type, its default and the rules it obeys.

It never reads the file or the environment: `loading` does, and `fields` looks up secrets kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from syndicate.config import rules
from syndicate.config.channels import ChannelSettings, LinkedInSettings, ListedSettings, WebhookSettings
from syndicate.config.fields import (
    Base,
    Count,
    Database,
    Duration,
    Flag,
    OptionalDomain,
    OptionalDuration,
    OptionalMailbox,
    OptionalPlace,
    OptionalSender,
    Page,
    Password,
    Place,
    Port,
    Positive,
    PublicBase,
    Rate,
    SecretText,
    Sender,
    Span,
    Table,
)
from syndicate.config.values import DatabaseUrl, Secret, a_label, is_loopback_host

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Site(Table):
    """`[site]`: who publishes."""

    title: str
    url: Base
    description: str = ""
    language: str = "en"  # BCP 47
    timezone: str = "UTC"  # IANA
    author: str = ""
    image: Page = ""
    cta_url: Page = ""
    accent: str = "#0b5d86"  # sRGB

    _title = field_validator("title")(rules.one_line)
    _language = field_validator("language")(rules.language)
    _timezone = field_validator("timezone")(rules.timezone)
    _accent = field_validator("accent")(rules.colour)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class DatabaseSettings(Table):
    """`[database]`: where the ledger is. `Settings.database_url` fills in what an empty url means."""

    url: Database = DatabaseUrl()


class SourceSettings(Table):
    """`[[sources]]`: where articles come from."""

    name: str = "articles"
    kind: Literal["folder", "feed"] = "folder"
    url: Page = ""  # of a feed
    path: Place = Path("content")
    include: tuple[str, ...] = ("**/*.md", "**/*.mdx", "**/*.markdown")
    exclude: tuple[str, ...] = ("**/_index.*", "**/README.*", "**/404.*")
    article_url: str = "{site_url}/{slug}/"
    poll: Span = _MINUTE
    pull: Flag = False

    _name = field_validator("name")(rules.label)
    _patterns = field_validator("include", "exclude")(rules.patterns)
    _article_url = field_validator("article_url")(rules.article_url)

    @field_validator("url")
    @classmethod
    def _feed_has_url(cls, url: str, info: ValidationInfo) -> str:
        return rules.url_of_kind(url, info.data.get("kind"))


class ReviewRules(Table):
    """`[review]`: what makes an article ready."""

    require: tuple[str, ...] = ("title",)
    min_words: Count = 50
    settle: Duration = timedelta(seconds=2)
    delay: Duration = 10 * _MINUTE
    max_new: Count = 50
    duplicate_window: Duration = 30 * _DAY
    first_run: Literal["baseline", "announce"] = "baseline"
    reject_titles: tuple[str, ...] = ()  # regular expressions
    check_url: Flag = False

    _require = field_validator("require")(rules.texts)
    _reject_titles = field_validator("reject_titles")(rules.expressions)


class FeedSettings(Table):
    """`[feeds]`. `Settings.output_folder` fills in what an empty output means."""

    items: int = Field(50, strict=True, ge=1, le=1000)
    keep: Duration = _DAY
    content: Literal["full", "summary"] = "full"
    output: OptionalPlace = None
    hubs: tuple[Page, ...] = ()
    adopt: Page = ""

    _hubs = field_validator("hubs")(rules.texts)


class WebSettings(Table):
    """`[web]`: what answers subscribers and the newsroom."""

    enabled: Flag = True
    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: PublicBase = "http://127.0.0.1:8080"
    password: Password = Secret()
    trusted_proxies: tuple[str, ...] = ()

    _host = field_validator("host")(rules.host)
    _trusted_proxies = field_validator("trusted_proxies")(rules.networks)


class SmtpSettings(Table):
    """`[email.smtp]`: the server that takes our mail."""

    host: str = "127.0.0.1"
    port: Port = 25
    username: str = ""
    password: SecretText = Secret()
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: OptionalPlace = None
    connections: Positive = 8
    rate: Rate = 0  # messages a second, 0 = no limit

    _host = field_validator("host")(rules.host)
    _ca_file = field_validator("ca_file")(rules.existing_file)

    @field_validator("security")
    @classmethod
    def _no_password_in_clear(cls, security: str, info: ValidationInfo) -> str:
        if (
            security == "none"
            and info.data.get("username")
            and not is_loopback_host(info.data.get("host", "localhost"))
        ):
            raise ValueError('would send the password in clear over the network: use "starttls" or "tls"')
        return security


class DkimSettings(Table):
    """`[email.dkim]`: our own signature. An empty domain: the relay signs."""

    domain: OptionalDomain = ""
    selector: OptionalDomain = ""
    key: SecretText = Secret()  # PEM

    @field_validator("selector", "key")
    @classmethod
    def _complete(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("domain") and not value:
            raise ValueError("is missing: a signature needs domain, selector and key")
        return value


class HooksSettings(Table):
    """`[email.hooks]`: who may tell us what became of letters."""

    postmark_secret: SecretText = Secret()
    ses_topics: tuple[str, ...] = ()  # ARNs of SNS

    _postmark_secret = field_validator("postmark_secret")(rules.strong_secret)
    _ses_topics = field_validator("ses_topics")(rules.topics)


class EmailSettings(Table):
    """`[email]`: the channel that mails editions to subscribers."""

    live: Flag = False
    sender: Sender = "News <news@example.org>"
    reply_to: OptionalSender = ""
    postal_address: str = ""
    transport: Literal["smtp"] = "smtp"
    retry_for: Duration = 2 * _DAY
    bounce_address: OptionalSender = ""
    smtp: SmtpSettings = SmtpSettings()
    dkim: DkimSettings = DkimSettings()
    hooks: HooksSettings = HooksSettings()

    _bounce_address = field_validator("bounce_address")(rules.bounce_address)

    @property
    def sender_name(self) -> str:
        return parseaddr(self.sender)[0]

    @property
    def sender_address(self) -> str:
        """As the wire knows it: with an A-label domain."""
        return f"{parseaddr(self.sender)[1].rpartition('@')[0]}@{self.sender_domain}"

    @property
    def envelope_domain(self) -> str:
        """Of the address that bounces go to, whose SPF record counts; in A-labels."""
        return a_label(parseaddr(self.bounce_address or self.sender)[1].rpartition("@")[2])

    @property
    def return_address(self) -> str:
        """The address of bounces as the wire knows it; "": letters come back to the sender."""
        local = parseaddr(self.bounce_address)[1].rpartition("@")[0]
        return f"{local}@{self.envelope_domain}" if self.bounce_address else ""

    @property
    def sender_domain(self) -> str:
        """In A-labels."""
        return a_label(parseaddr(self.sender)[1].rpartition("@")[2])


class DigestSettings(Table):
    """`[[digests]]`: one digest and its calendar."""

    name: str = "weekly"
    schedule: str = "0 9 * * FRI"  # crontab(5), "FRI 09:00", "daily 09:00" or "each"
    subject: str = "{{ articles[0].title }}"
    template: str = "digest"
    max_articles: Positive = 12
    headlines: Count = 20
    min_articles: Count = 1
    pick: Literal["best"] = "best"
    late_limit: Duration = 12 * _HOUR
    approve: Flag = False
    proof: OptionalDuration = None

    _name = field_validator("name")(rules.free_name)
    _schedule = field_validator("schedule")(rules.schedule)
    _subject = field_validator("subject")(rules.not_empty)
    _template = field_validator("template")(rules.name)


class AlertSettings(Table):
    """`[alerts]`: who is told of trouble."""

    email: OptionalMailbox = ""
    webhook: Page = ""


class HttpSettings(Table):
    """`[http]`: what may be fetched."""

    allow_private: tuple[str, ...] = ()

    _allow_private = field_validator("allow_private")(rules.hosts)


class LogSettings(Table):
    """`[logs]`: what `run` and `worker` write to stderr."""

    format: Literal["text", "json"] = "text"


class Settings(Table):
    """The whole configuration. Paths are joined to the file's folder."""

    data: Place = Path("var")
    secret: SecretText = Secret()
    secrets_old: tuple[SecretText, ...] = ()  # newest first: read with, signed with no more
    templates: OptionalPlace = None
    site: Site
    database: DatabaseSettings = DatabaseSettings()
    sources: tuple[SourceSettings, ...]
    review: ReviewRules = ReviewRules()
    feeds: FeedSettings = FeedSettings()
    web: WebSettings = WebSettings()
    email: EmailSettings | None = None
    digests: tuple[DigestSettings, ...] = ()
    linkedin: LinkedInSettings | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    alerts: AlertSettings = AlertSettings()
    http: HttpSettings = HttpSettings()
    logs: LogSettings = LogSettings()

    _path: Path | None = PrivateAttr(default=None)

    _secret = field_validator("secret")(rules.strong_secret)
    _list_of_secrets = field_validator("secrets_old", mode="before")(rules.list_of_secrets)
    _secrets_old = field_validator("secrets_old")(rules.old_secrets)
    _templates = field_validator("templates")(rules.existing_folder)
    _sources = field_validator("sources")(rules.sources)

    def model_post_init(self, context: Any) -> None:
        self._path = (context or {}).get("path")

    @property
    def path(self) -> Path | None:
        """The file this came from."""
        return self._path

    @property
    def publics(self) -> dict[str, ChannelSettings]:
        """The public channels that are there, by name, in the order of the keys."""
        return {name: table for name, (_, table) in self._publics().items()}

    def key_of(self, name: str) -> str:
        """The dotted key of a public channel's table: "linkedin", "webhooks.0"."""
        return self._publics()[name][0]

    def _publics(self) -> dict[str, tuple[str, ChannelSettings]]:
        found: dict[str, tuple[str, ChannelSettings]] = {}
        for key in type(self).model_fields:
            value = getattr(self, key)
            if isinstance(value, ChannelSettings):
                found[key] = (key, value)
            for index, entry in enumerate(value if isinstance(value, tuple) else ()):
                if isinstance(entry, ListedSettings):
                    found[entry.name] = (f"{key}.{index}", entry)
        return found

    @property
    def channels(self) -> dict[str, bool]:
        """The channels that are there, and whether each is live."""
        email = {"email": self.email.live} if self.email else {}
        return email | {name: table.live for name, table in self.publics.items()}

    @property
    def output_folder(self) -> Path:
        """Where the feeds are written."""
        return self.feeds.output or self.data / "public"

    @property
    def database_url(self) -> DatabaseUrl:
        """Where the database is; SQLite below `data` unless the owner says otherwise."""
        return self.database.url if self.database.url else DatabaseUrl(f"sqlite:///{self.data.absolute()}/syndicate.db")


def secrets_of(table: Table) -> Iterator[Secret]:
    """Every secret that is set, for hiding them in logs; of the database's address only its password."""
    for value in (getattr(table, key) for key in type(table).model_fields):
        for entry in value if isinstance(value, tuple) else (value,):
            if isinstance(entry, Table):
                yield from secrets_of(entry)
            elif isinstance(entry, DatabaseUrl):
                yield from entry.passwords()
            elif isinstance(entry, Secret) and entry:
                yield entry
