"""The configuration: what loads, what it means, and how each mistake is named."""

import copy
import json
import pickle
import tomllib
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel

from syndicate.config import (
    DatabaseUrl,
    EmailSettings,
    Hours,
    LinkedInSettings,
    Secret,
    Settings,
    Site,
    SourceSettings,
    WebSettings,
    is_loopback_host,
    is_loopback_url,
    is_reserved_domain,
    load,
    problems_at_start,
    secrets_of,
)
from syndicate.config.environment import keys
from syndicate.config.values import duration, hours
from syndicate.errors import ConfigError

ROOT = Path(__file__).parents[2]
LEAST = '[site]\ntitle = "T"\nurl = "https://news.test"\n[[sources]]\n'
PLANTED = "correct-horse-battery-staple"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(folder: Path, text: str = LEAST, **environ: str) -> Settings:
    path = folder / "syndicate.toml"
    path.write_text(text)
    return load(path, environ)


def problems(folder: Path, text: str = LEAST, **environ: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        settings(folder, text, **environ)
    found = {problem.key: problem.text for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems)
    return found


# -- the example -------------------------------------------------------------------------------------------------------

NOT_DEFAULTS = {"site.title", "site.url", "sources.path"}


def every_line() -> dict:
    """config.toml with its commented webhook switched on."""
    before, mark, after = (ROOT / "config.toml").read_text().partition("# [[webhooks]]")
    commented, gap, rest = after.partition("\n\n")
    return tomllib.loads(before + (mark + commented).replace("# ", "", 1).replace("\n# ", "\n") + gap + rest)


def flat(table: dict, prefix: str = "") -> dict:
    found = {}
    for key, value in table.items():
        value = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def test_the_example_loads_as_it_stands_and_is_safe():
    example = load(ROOT / "config.toml", {})
    assert example.path == ROOT / "config.toml"
    assert problems_at_start(example) == []
    assert example.email is not None
    assert example.linkedin is not None
    assert not example.email.live
    assert not example.linkedin.live
    assert is_loopback_host(example.web.host)
    assert [source.path for source in example.sources] == [ROOT / "examples" / "articles"]
    assert [digest.name for digest in example.digests] == ["weekly"]


def test_the_example_has_every_key():
    assert set(flat(every_line())) == set(keys())


def test_the_example_states_the_defaults(folder):
    stated = flat(every_line())
    bare = settings(
        folder,
        LEAST + '[email]\n[linkedin]\n[[digests]]\n[[webhooks]]\nname="hook"\nurl="https://hooks.example.org/articles"',
    )
    example = Settings.model_validate(every_line(), context={"folder": folder})
    for key in keys():
        if key not in NOT_DEFAULTS:
            assert value_at(example, key) == value_at(bare, key), f"{key} = {stated[key]!r}"


def value_at(value, key):
    for part in key.split("."):
        value = getattr(value, part)
        value = value[0] if isinstance(value, tuple) and value and isinstance(value[0], BaseModel) else value
    return value


def test_the_defaults_are_those_of_the_contract():
    site = Site(title="T", url="https://news.test")
    bare = Settings(site=site, sources=(SourceSettings(),), email=EmailSettings(), linkedin=LinkedInSettings())
    assert bare.review.delay == timedelta(minutes=10)
    assert bare.review.duplicate_window == timedelta(days=30)
    assert bare.feeds.items == 50
    assert bare.email is not None
    assert (bare.email.smtp.port, bare.email.smtp.security, bare.email.smtp.connections) == (25, "starttls", 8)
    assert bare.linkedin is not None
    assert bare.linkedin.hours == Hours(start=time(8), end=time(20))
    assert bare.linkedin.version == "202609"
    assert site.zone == ZoneInfo("UTC")


# -- which file --------------------------------------------------------------------------------------------------------


def test_without_a_path_syndicate_toml_wins_over_config_toml(folder):
    (folder / "config.toml").write_text(LEAST.replace('"T"', '"config"'))
    assert load(None, {}).site.title == "config"
    (folder / "syndicate.toml").write_text(LEAST.replace('"T"', '"own"'))
    assert load(None, {}).site.title == "own"
    (folder / "other.toml").write_text(LEAST.replace('"T"', '"other"'))
    assert load(None, {"SYNDICATE_CONFIG": "other.toml"}).site.title == "other"
    assert load(Path("config.toml"), {"SYNDICATE_CONFIG": "other.toml"}).site.title == "config"


@pytest.mark.parametrize("path", [None, Path("absent.toml"), Path("syndicate.toml/below")])
def test_a_missing_file_says_what_to_do(folder, path):
    with pytest.raises(ConfigError, match="syndicate init"):
        load(path, {})


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"[site]\ntitle = \n", "line 2, column 9: is not valid TOML: invalid value"),
        (b"[site\n", "line 1, column 6: is not valid TOML: expected"),
        (b"x = '''", "is not valid TOML"),
        (b"a = 1\na = 2\n", "line 2, column 6: is not valid TOML: cannot overwrite a value"),
        (b"[site]\ntitle = 'M\xfcnchen'\n", "line 2: holds a byte that is not UTF-8"),
        (b"x = " + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_is_not_toml_is_named_with_line_and_reason(folder, raw, says):
    (folder / "syndicate.toml").write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load(None, {})
    (problem,) = caught.value.problems
    assert str(problem).startswith("syndicate.toml: ")
    assert says in problem.text
    assert "\n" not in problem.text


def test_a_folder_in_place_of_the_file_is_said_so(folder):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(folder, {})


def test_a_byte_order_mark_is_no_obstacle(folder):
    (folder / "syndicate.toml").write_bytes(b"\xef\xbb\xbf" + LEAST.encode())
    assert load(None, {}).site.title == "T"


# -- what values mean --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("3h", timedelta(hours=3)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
        ("1h30m", timedelta(minutes=90)),
        ("36500d", timedelta(days=36500)),
    ],
)
def test_durations_are_read(text, expected):
    assert duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "10", "m", "-1h", "1.5h", "1 h", "1y", "PT1H", "١s", "36501d", "9" * 400 + "w", "1h\n"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a duration|is too long"):
        duration(text)


@given(st.integers(0, 3_000_000))
def test_a_duration_is_the_sum_of_its_parts(seconds):
    minutes, rest = divmod(seconds, 60)
    assert duration(f"{minutes}m{rest}s") == duration(f"{seconds}s") == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("08:00-20:00", ["08:00", "19:59"], ["07:59", "20:00", "00:00"]),
        ("22:00-02:00", ["22:00", "00:00", "01:59"], ["02:00", "12:00", "21:59"]),
        ("08:00-24:00", ["08:00", "23:59"], ["00:00", "07:59"]),
    ],
)
def test_hours_contain_their_start_and_not_their_end(text, inside, outside):
    span = hours(text)
    assert span is not None
    assert all(span.contains(time.fromisoformat(moment)) for moment in inside)
    assert not any(span.contains(time.fromisoformat(moment)) for moment in outside)


@pytest.mark.parametrize("text", ["", "00:00-24:00"])
def test_the_whole_day_is_no_span(text):
    assert hours(text) is None


@pytest.mark.parametrize("text", ["8-20", "08:00", "08:00-08:00", "08:00-25:00", "24:00-08:00", "08:00–20:00", "-"])
def test_what_is_no_span_of_hours_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a span of hours|has no length"):
        hours(text)


def test_relative_paths_begin_at_the_folder_of_the_file(folder):
    (folder / "conf" / "mine").mkdir(parents=True)
    (folder / "conf" / "ca.pem").touch()
    text = 'data = "d"\ntemplates = "mine"\n' + LEAST + 'path = "../articles"\n[feeds]\noutput = "/srv/feeds"\n'
    (folder / "conf" / "c.toml").write_text(text + '[email.smtp]\nca_file = "ca.pem"\n')
    found = load(Path("conf/c.toml"), {})
    assert found.path == folder / "conf" / "c.toml"
    assert found.data == folder / "conf" / "d"
    assert found.templates == folder / "conf" / "mine"
    assert found.sources[0].path.resolve() == folder / "articles"
    assert found.output_folder == Path("/srv/feeds")
    assert found.email is not None
    assert found.email.smtp.ca_file == folder / "conf" / "ca.pem"


def test_empty_places_mean_places_below_data(folder):
    found = settings(folder, 'data = "d"\n' + LEAST)
    assert found.output_folder == folder / "d" / "public"
    assert found.database_url.reveal() == f"sqlite:///{folder}/d/syndicate.db"


def test_a_relative_sqlite_file_begins_at_the_folder_of_the_file(folder):
    found = settings(folder, LEAST + '[database]\nurl = "sqlite:///own.db"\n')
    assert found.database_url.reveal() == f"sqlite:///{folder}/own.db"


def test_absent_tables_are_absent_channels(folder):
    found = settings(folder)
    assert (found.email, found.linkedin, found.webhooks, found.digests) == (None, None, (), ())


def test_site_addresses_lose_their_last_slash_and_keep_their_path(folder):
    found = settings(folder, LEAST.replace("https://news.test", "HTTPS://News.Test/Blog/"))
    assert found.site.url == "https://news.test/Blog"


def test_slots_are_sorted_times_each_once(folder):
    found = settings(folder, LEAST + '[linkedin]\nslots = ["16:00", "09:30", "16:00"]\n')
    assert found.linkedin is not None
    assert found.linkedin.slots == (time(9, 30), time(16))


def test_settings_cannot_be_changed(folder):
    with pytest.raises(ValueError, match="frozen"):
        settings(folder).site.title = "other"


# -- mistakes ----------------------------------------------------------------------------------------------------------

MISTAKES = [
    # table and lines, key, words of the sentence
    ('[site]\ntitel = "x"', "site.titel", "did you mean title?"),
    ('[site]\npoll = "1s"', "site.poll", "it belongs in [[sources]]"),
    ('[site]\ndata = "x"', "site.data", "before the first table"),
    ("[nonsense]", "nonsense", "is not a known key"),
    ('[site]\nurl = "news.test"', "site.url", "write it in full"),
    ('[site]\nurl = "ftp://news.test"', "site.url", "write it in full"),
    (
        '[[webhooks]]\nname = "p"\nurl = "htps://h.test/?key=hidden"',
        "webhooks.0.url",
        '"htps://h.test/?********" is not',
    ),
    ('[site]\nurl = "https://news.test/?x=1"', "site.url", "? or #"),
    ('[site]\nurl = "https://news.test/a b"', "site.url", "space"),
    ('[site]\nurl = "https://[news.test"', "site.url", "is not a web address"),
    ('[site]\nurl = "https://news.test:99999"', "site.url", "is not a web address"),
    ('[site]\nurl = ""', "site.url", "is not a web address"),
    ('[site]\ntitle = "  "', "site.title", "is missing"),
    ('[site]\ntitle = "a\\nBcc: x"', "site.title", "line break"),
    ('[site]\ntimezone = "Europe/Berln"', "site.timezone", "did you mean Europe/Berlin?"),
    ('[site]\ntimezone = ""', "site.timezone", "is not a time zone"),
    ('[site]\ntimezone = "../../etc/passwd"', "site.timezone", "is not a time zone"),
    ('[site]\nlanguage = "en_GB"', "site.language", "is not a language"),
    ('[site]\nimage = "logo.png"', "site.image", "write it in full"),
    ('[site]\naccent = "blue"', "site.accent", "is not a colour"),
    ('[site]\naccent = "#0b5d8"', "site.accent", "six digits"),
    ('[site]\naccent = "#0b5d86;}"', "site.accent", "is not a colour"),
    ('data = ""', "data", "must not be empty"),
    ("data = 3", "data", "must be a path"),
    ('data = "a\\u0000b"', "data", "must be a path"),
    ('data = "~nobody-of-this-name/x"', "data", "there is no such user"),
    ('templates = "' + "x" * 300 + '"', "templates", "there is no folder"),
    ('templates = "nowhere"', "templates", "there is no folder"),
    ('[database]\nurl = "mysql://host/name"', "database.url", "postgresql://"),
    ('[database]\nurl = "sqlite://"', "database.url", "names no file"),
    ('[sources]\npath = "x"', "sources", "[[sources]]"),
    ('[[sources]]\nkind = "fold"', "sources.0.kind", '"folder" or "feed"; it is "fold"'),
    ('[[sources]]\nkind = "feed"', "sources.0.url", "is missing"),
    ('[[sources]]\nurl = "https://a.test/feed"', "sources.0.url", "only for kind"),
    ('[[sources]]\npoll = "0s"', "sources.0.poll", "longer than"),
    ('[[sources]]\ninclude = ["**/*.md", ""]', "sources.0.include", "empty text"),
    ('[[sources]]\nexclude = ["../x"]', "sources.0.exclude", "leads out"),
    ("[[sources]]\ninclude = [1]", "sources.0.include.0", "must be a text"),
    ('[[sources]]\narticle_url = "{site_url}/{slugg}/"', "sources.0.article_url", "did you mean slug?"),
    ('[[sources]]\narticle_url = "{site_url}/{slug"', "sources.0.article_url", "single brace"),
    ('[[sources]]\narticle_url = "{site_url}/{slug.__class__}"', "sources.0.article_url", "is not known"),
    ('[[sources]]\narticle_url = "{site_url}/{year}/"', "sources.0.article_url", "same address"),
    ('[[sources]]\narticle_url = "/{slug}/"', "sources.0.article_url", "begin it with"),
    ("[[sources]]\n[[sources]]", "sources.1.name", "is the name of sources.0 too"),
    ('[[sources]]\nname = ""', "sources.0.name", "visible characters"),
    ("[review]\ndelay = 10", "review.delay", 'like "10m"; it is 10'),
    ('[review]\ndelay = "10"', "review.delay", "is not a duration"),
    ("[review]\nmin_words = -1", "review.min_words", "must be 0 or more; it is -1"),
    ("[review]\nmin_words = true", "review.min_words", "whole number; it is true"),
    ('[review]\nmax_new = "50"', "review.max_new", "whole number"),
    ('[review]\nreject_titles = ["("]', "review.reject_titles", "is not a regular expression: missing )"),
    ('[review]\nrequire = "title"', "review.require", "must be a list in brackets"),
    ('[review]\nfirst_run = "baseline "', "review.first_run", '"baseline" or "announce"'),
    ("[feeds]\nitems = 1001", "feeds.items", "1000 or less"),
    ("[web]\nport = 0", "web.port", "1 or more"),
    ("[web]\nport = 65536", "web.port", "65535 or less"),
    ("[web]\nenabled = 1", "web.enabled", "must be true or false"),
    ('[web]\nhost = ""', "web.host", "is not a host"),
    ('[web]\npublic_url = "https://u:p@a.test"', "web.public_url", "user name or password"),
    ('[web]\npassword = "open sesame"', "web.password", "must not stand here in clear"),
    ('[web]\ntrusted_proxies = ["proxy.test"]', "web.trusted_proxies", "is no address or network"),
    ('[web]\ntrusted_proxies = ["0.0.0.0/0"]', "web.trusted_proxies", "is everybody"),
    ('[email]\nsender = "nobody"', "email.sender", "is not one mail address"),
    ('[email]\nsender = ""', "email.sender", "is not one mail address"),
    ('[email]\nsender = "A, B <a@b.test>"', "email.sender", "in quotation marks"),
    ('[email]\nsender = "a@b.test, c@d.test"', "email.sender", "is not one mail address"),
    ('[email]\nsender = "A <a@b.test>\\r\\nBcc: c@d.test"', "email.sender", "line break"),
    ('[email]\nreply_to = "A <a@>"', "email.reply_to", "is not one mail address"),
    ('[email]\ntransport = "carrier"', "email.transport", 'must be "smtp"'),
    ('[email]\nretry_for = "forever"', "email.retry_for", "is not a duration"),
    ('[email.smtp]\nsecurity = "ssl"', "email.smtp.security", '"starttls", "tls" or "none"'),
    ("[email.smtp]\nprot = 25", "email.smtp.prot", "did you mean port?"),
    (
        '[email.smtp]\nhost = "mx.test"\nusername = "u"\nsecurity = "none"',
        "email.smtp.security",
        "in clear over the network",
    ),
    ('[email.smtp]\nca_file = "absent.pem"', "email.smtp.ca_file", "there is no file"),
    ("[email.smtp]\nrate = nan", "email.smtp.rate", "must be"),
    ("[email.smtp]\nconnections = 0", "email.smtp.connections", "1 or more"),
    ('[email.smtp]\npassword = { env = "ABSENT" }', "email.smtp.password", 'variable "ABSENT" is not set'),
    ('[email.smtp]\npassword = { file = "absent" }', "email.smtp.password", "cannot be read"),
    ('[email.smtp]\npassword = { path = "x" }', "email.smtp.password", "must be a text, {"),
    ("[email.smtp]\npassword = 7", "email.smtp.password", "must be a text, {"),
    ('[email.dkim]\ndomain = "a.test"\nselector = "s"', "email.dkim.key", "is missing"),
    ('[[digests]]\nname = "email"', "digests.0.name", "is the name of the channel [email] too"),
    ('[[digests]]\nname = "LinkedIn"', "digests.0.name", "is the name of the channel [linkedin] too"),
    *[
        (f'[[webhooks]]\nurl = "https://e.test"\nname = "{word}"', "webhooks.0.name", "means something else here")
        for word in ("all", "clock", "None", "channels", "webhook")
    ],
    *[
        (f'[[webhooks]]\nurl = "https://e.test"\nname = "a"\nsecret = "{secret}"', "webhooks.0.secret", "is damaged")
        for secret in ("whsec_", "whsec_no base64", "plain whsec_a=", "whsec_ü")
    ],
    (
        '[[digests]]\nname = "a"\n[[webhooks]]\nurl = "https://e.test"\nname = "A"',
        "webhooks.0.name",
        "is the name of digests.0",
    ),
    ('[[digests]]\nname = "a,b"', "digests.0.name", "is not a usable name"),
    ('[[digests]]\nname = "a"\n[[digests]]\nname = "A"', "digests.1.name", "is the name of digests.0 too"),
    ('[[digests]]\nschedule = "0 9 * * FRY"', "digests.0.schedule", "is not a schedule"),
    ('[[digests]]\nlate_limit = "12"', "digests.0.late_limit", "is not a duration"),
    ('[[digests]]\nproof = "soon"', "digests.0.proof", "is not a duration"),
    ('[[digests]]\ntemplate = "../../etc"', "digests.0.template", "is not a usable name"),
    ("[[digests]]\nmax_articles = 0", "digests.0.max_articles", "1 or more"),
    ('[[digests]]\npick = "worst"', "digests.0.pick", 'must be "best"'),
    ('[linkedin]\nauthor = "me"', "linkedin.author", "urn:li:person:"),
    ('[linkedin]\nversion = "2026"', "linkedin.version", "six digits"),
    ('[linkedin]\nversion = "202613"', "linkedin.version", "six digits"),
    ('[linkedin]\nslots = ["9.30"]', "linkedin.slots", "is not a time of day"),
    ("[linkedin]\nslots = 9", "linkedin.slots", "must be a list of times"),
    ('[linkedin]\nhours = "8-20"', "linkedin.hours", "is not a span of hours"),
    ("[linkedin]\nhours = 8", "linkedin.hours", "must be a span of hours"),
    ("[linkedin]\nmin_gap = 0", "linkedin.min_gap", "must be a duration"),
    ('[[webhooks]]\nurl = "https://a.test"', "webhooks.0.name", "is missing"),
    ('[[webhooks]]\nname = "a"', "webhooks.0.url", "is missing"),
    ('[[digests]]\nname = "a"\n[[webhooks]]\nname = "a"\nurl = "https://a.test"', "webhooks.0.name", "digests.0 too"),
    ('[http]\nallow_private = ["http://x"]', "http.allow_private", "is not a host"),
]


def completed(text: str) -> str:
    """The text with whatever is required and not in it."""
    stated = tomllib.loads(text)
    if "site" not in stated:
        text += "\n[site]\n"
    for line in ('title = "T"', 'url = "https://news.test"'):
        if line.partition(" ")[0] not in stated.get("site", {}):
            text = text.replace("[site]\n", f"[site]\n{line}\n")
    return text if "sources" in stated else text + "\n[[sources]]\n"


@pytest.mark.parametrize(("text", "key", "says"), MISTAKES)
def test_a_mistake_is_named_by_key_and_told_in_words(folder, text, key, says):
    found = problems(folder, completed(text))
    assert list(found) == [key]
    assert says in found[key]
    assert "\n" not in found[key]
    assert "Input should" not in found[key]


def test_all_mistakes_are_listed_at_once(folder):
    text = """
        colour = "red"
        [site]
        tittle = "x"
        timezone = "Mars"
        [[digests]]
        name = "email"
        schedule = "never"
        [[digests]]
        name = "a"
        x = 1
        [[digests]]
        name = "a"
        [review]
        reject_titles = ["("]
        [email.smtp]
        port = "25"
        password = { env = "ABSENT" }
        """
    found = problems(folder, text, SYNDICATE_WEB__PROT="1", SYNDICATE_SITE__LANGUAGE="?", SYNDICATE_NONSENSE="")
    assert set(found) == {
        "colour",
        "site.title",
        "site.url",
        "site.tittle",
        "site.timezone",
        "site.language",
        "sources",
        "digests.0.name",
        "digests.0.schedule",
        "digests.1.x",
        "digests.2.name",
        "review.reject_titles",
        "email.smtp.port",
        "email.smtp.password",
        "SYNDICATE_WEB__PROT",
        "SYNDICATE_NONSENSE",
    }


def test_an_empty_file_asks_for_title_address_and_source(folder):
    assert list(problems(folder, "")) == ["site.title", "site.url", "sources"]


def test_control_characters_of_the_file_do_not_reach_the_screen(folder):
    found = problems(folder, LEAST + 'kind = "\\u001b[31m\\u202e"\n')
    assert found["sources.0.kind"].isprintable()


any_key = st.sampled_from([*Settings.model_fields, "name", "url", "smtp", "password", "env"])
any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(any_key, below, max_size=4),
)


@hypothesis_settings(deadline=None, max_examples=50)
@given(any_value)
def test_any_value_of_any_key_is_settings_or_a_config_error(value):
    environ = {f"SYNDICATE_{key.upper()}": json.dumps(value) for key in Settings.model_fields}
    try:
        load(ROOT / "config.toml", environ)
    except ConfigError as error:
        assert all(problem.key for problem in error.problems)


# -- the environment ---------------------------------------------------------------------------------------------------


def test_the_environment_overrides_the_file(folder):
    found = settings(
        folder,
        LEAST + 'path = "content"\n[email]\nlive = true\n[feeds]\nitems = 10\n',
        SYNDICATE_SITE__TITLE="123",
        SYNDICATE_EMAIL__LIVE="false",
        SYNDICATE_EMAIL__SMTP__PORT="587",
        SYNDICATE_EMAIL__SMTP__RATE="2.5",
        SYNDICATE_EMAIL__SMTP__PASSWORD=PLANTED,
        SYNDICATE_REVIEW__DELAY="1h",
        SYNDICATE_SOURCES__0__PATH="other",
        SYNDICATE_REVIEW__REQUIRE='["title", "cta"]',
        SYNDICATE_FEEDS='{"content": "summary"}',
        SYNDICATE_LINKEDIN__HOURS="",
        SYNDICATE_DATA="elsewhere",
        syndicate_web__host="0.0.0.0",
        SYNDICATE_CONFIG="not read here",
        OTHER="x",
    )
    assert found.site.title == "123"
    assert found.email is not None
    assert not found.email.live
    assert (found.email.smtp.port, found.email.smtp.rate) == (587, 2.5)
    assert found.email.smtp.password.reveal() == PLANTED
    assert found.review.delay == timedelta(hours=1)
    assert found.sources[0].path == folder / "other"
    assert found.review.require == ("title", "cta")
    assert (found.feeds.content, found.feeds.items) == ("summary", 50)
    assert found.linkedin is not None
    assert found.linkedin.hours is None
    assert found.data == folder / "elsewhere"
    assert found.web.host == "0.0.0.0"


def test_without_any_file_tables_the_environment_can_say_everything(folder):
    found = settings(
        folder, "", SYNDICATE_SITE__TITLE="T", SYNDICATE_SITE__URL="https://a.test", SYNDICATE_SOURCES__0__PATH="x"
    )
    assert found.sources[0].path == folder / "x"


def test_one_past_the_end_of_a_list_appends(folder):
    found = settings(
        folder,
        SYNDICATE_SOURCES__1__NAME="second",
        SYNDICATE_SOURCES__2__NAME="third",
        SYNDICATE_REVIEW__REQUIRE__1="cta",
        SYNDICATE_SOURCES__0__EXCLUDE__0="**/x.md",
    )
    assert [source.name for source in found.sources] == ["articles", "second", "third"]
    assert found.review.require == ("title", "cta")
    assert found.sources[0].exclude == ("**/x.md", "**/README.*", "**/404.*")


def test_more_than_ten_entries_are_appended_in_the_order_of_their_numbers(folder):
    names = {f"SYNDICATE_DIGESTS__{index}__NAME": f"d{index}" for index in range(12)}
    assert [digest.name for digest in settings(folder, **names).digests] == [f"d{index}" for index in range(12)]


def test_a_part_overrides_the_whole_that_is_set_beside_it(folder):
    found = settings(folder, SYNDICATE_WEB__PORT="81", SYNDICATE_WEB='{"port": 80, "host": "a.test"}')
    assert (found.web.port, found.web.host) == (81, "a.test")


@pytest.mark.parametrize(
    ("name", "value", "key", "says"),
    [
        ("SYNDICATE_", "", "SYNDICATE_", "there is no key"),
        ("SYNDICATE_SITE__TITEL", "", "SYNDICATE_SITE__TITEL", "did you mean title?"),
        ("SYNDICATE_SMTP__PORT", "", "SYNDICATE_SMTP__PORT", "there is no key"),
        ("SYNDICATE_SITE_TITLE", "", "SYNDICATE_SITE_TITLE", "there is no key"),
        ("SYNDICATE_EMAIL__SMTP__PROT", "1", "SYNDICATE_EMAIL__SMTP__PROT", "did you mean port?"),
        ("SYNDICATE_SOURCES__2__PATH", "", "SYNDICATE_SOURCES__2__PATH", "leaves a gap"),
        ("SYNDICATE_SOURCES__PATH", "", "SYNDICATE_SOURCES__PATH", "counted from 0"),
        ("SYNDICATE_SOURCES__-1__PATH", "", "SYNDICATE_SOURCES__-1__PATH", "counted from 0"),
        ("SYNDICATE_SITE__TITLE__X", "", "SYNDICATE_SITE__TITLE__X", "single value"),
        ("SYNDICATE_REVIEW__REQUIRE__0__X", "", "SYNDICATE_REVIEW__REQUIRE__0__X", "single values"),
        ("SYNDICATE_PATH", "/x", "SYNDICATE_PATH", "there is no key"),
        ("SYNDICATE_WEB__PORT", "http", "web.port", 'whole number; it is "http" (set by SYNDICATE_WEB__PORT)'),
        ("SYNDICATE_WEB__ENABLED", "maybe", "web.enabled", "(set by SYNDICATE_WEB__ENABLED)"),
        ("SYNDICATE_REVIEW__REQUIRE", "title", "review.require", "(set by SYNDICATE_REVIEW__REQUIRE)"),
        ("SYNDICATE_SOURCES__0__POLL", "9", "sources.0.poll", "(set by SYNDICATE_SOURCES__0__POLL)"),
        ("SYNDICATE_WEB", '{"port": "80"}', "web.port", "(set by SYNDICATE_WEB)"),
        ("SYNDICATE_WEB", "8080", "web", "must be a table"),
    ],
)
def test_an_override_that_fits_nowhere_is_named(folder, name, value, key, says):
    found = problems(folder, **{name: value})
    assert list(found) == [key]
    assert says in found[key]


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_a_secret_is_shown_only_when_asked():
    secret = Secret(PLANTED)
    assert secret.reveal() == PLANTED
    for text in (str(secret), repr(secret), f"{secret}", f"{secret:>40}", ascii(secret)):
        assert PLANTED not in text
        assert "****" in text
    assert not Secret()
    assert secret
    assert secret == Secret(PLANTED)
    assert secret != PLANTED
    assert copy.deepcopy(secret) == secret
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        vars(secret)


def test_secrets_come_from_text_variables_and_files(folder):
    (folder / "token").write_text(PLANTED + "\n")
    text = (
        LEAST
        + '[linkedin]\naccess_token = { file = "token" }\nclient_secret = { env = "CLIENT" }\n'
        + '[email.smtp]\npassword = "plain"\n'
    )
    found = settings(folder, text, CLIENT="from variable", SYNDICATE_SECRET__FILE="token")
    assert found.linkedin is not None
    assert found.email is not None
    assert found.linkedin.access_token.reveal() == PLANTED
    assert found.linkedin.client_secret.reveal() == "from variable"
    assert found.email.smtp.password.reveal() == "plain"
    assert found.secret.reveal() == PLANTED


def test_a_json_table_in_the_environment_says_where_a_secret_is(folder):
    (folder / "token").write_text(PLANTED)
    assert settings(folder, SYNDICATE_SECRET='{"file": "token"}').secret.reveal() == PLANTED
    assert settings(folder, SYNDICATE_SECRET='{"another": "x"}').secret.reveal() == '{"another": "x"}'
    assert settings(folder, SYNDICATE_SECRET="1234567890123456").secret.reveal() == "1234567890123456"


def test_old_secrets_are_a_list_of_what_a_secret_may_be(folder):
    (folder / "token").write_text(PLANTED + "\n")
    text = f'secrets_old = ["{PLANTED} 1", {{ env = "OLD" }}, {{ file = "token" }}]\n' + LEAST
    found = settings(folder, text, OLD=PLANTED + " 2").secrets_old
    assert [one.reveal() for one in found] == [PLANTED + " 1", PLANTED + " 2", PLANTED]
    assert settings(folder, LEAST).secrets_old == ()
    told = settings(folder, SYNDICATE_SECRETS_OLD=f'["{PLANTED}", {{"env": "OLD"}}]', OLD=PLANTED + "!").secrets_old
    assert [one.reveal() for one in told] == [PLANTED, PLANTED + "!"]


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        ('secret = "fifteen letters"', "secret", "shorter than 16"),
        ('secrets_old = ["fifteen letters"]', "secrets_old", "shorter than 16"),
        ('secrets_old = ["sixteen letters!", ""]', "secrets_old", "empty"),
        (f"secrets_old = {['sixteen letters!'] * 5}", "secrets_old", "4 at most"),
        ('secrets_old = { file = "token" }', "secrets_old", "a list"),
        ("secrets_old = [7]", "secrets_old.0", "must be a text"),
    ],
)
def test_a_secret_that_is_none_is_refused(folder, line, key, words):
    assert words in problems(folder, f"{line}\n" + LEAST)[key]


@pytest.mark.parametrize("raw", [b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_named(folder, raw):
    path = folder / ("far/" * 30) / "token"
    path.parent.mkdir(parents=True)
    path.write_bytes(raw)
    found = problems(folder, LEAST.replace("[site]", f'secret = {{ file = "{path.relative_to(folder)}" }}\n[site]'))
    assert str(path) in found["secret"]


def test_a_password_may_be_plain_in_variable_and_file_and_a_hash_anywhere(folder):
    (folder / "password").write_text("open sesame\n")
    hashed = "$scrypt$ln=14,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
    assert settings(folder, LEAST + f'[web]\npassword = "{hashed}"').web.password.reveal() == hashed
    assert settings(folder, LEAST + '[web]\npassword = { file = "password" }').web.password.reveal() == "open sesame"
    assert settings(folder, LEAST + '[web]\npassword = { env = "P" }', P="open sesame").web.password
    assert settings(folder, SYNDICATE_WEB__PASSWORD="open sesame").web.password.reveal() == "open sesame"
    assert not WebSettings().password


SECRET_KEYS = {
    "secret": "secret = {}\n" + LEAST,
    "old secret": "secrets_old = [{}]\n" + LEAST,
    "database": LEAST + "[database]\nurl = {}\n",
    "password": LEAST + "[web]\npassword = {}\n",
    "smtp": LEAST + "[email.smtp]\npassword = {}\n",
    "dkim": LEAST + '[email.dkim]\ndomain = "a.test"\nselector = "s"\nkey = {}\n',
    "token": LEAST + "[linkedin]\naccess_token = {}\nclient_secret = {}\n",
    "webhook": LEAST + '[[webhooks]]\nname = "h"\nurl = "https://a.test"\nsecret = {}\n',
}


@pytest.mark.parametrize("text", SECRET_KEYS.values(), ids=SECRET_KEYS)
def test_no_secret_of_the_settings_shows_in_any_form(folder, text):
    hashed = f"$scrypt$ln=14$c2FsdHNhbHQ${PLANTED}"
    plain = f"postgresql://user:{PLANTED}@host/name" if "[database]" in text else hashed
    found = settings(folder, text.replace("{}", f'"{plain}"'))
    for shown in (repr(found), str(found), str(found.model_dump()), found.model_dump_json()):
        assert PLANTED not in shown
    assert any(PLANTED in secret.reveal() for secret in secrets_of(found))


def test_a_webhooks_address_which_may_hold_a_secret_is_in_no_repr(folder):
    found = settings(folder, LEAST + f'[[webhooks]]\nname = "h"\nurl = "https://a.test/?key={PLANTED}"\n')
    assert PLANTED in found.webhooks[0].url
    assert PLANTED not in repr(found) + str(found)


@pytest.mark.parametrize("text", SECRET_KEYS.values(), ids=SECRET_KEYS)
@pytest.mark.parametrize("value", ["[{!r}]", "{{ value = {!r} }}", "{{ env = {!r}, file = 'x' }}"])
def test_no_misplaced_secret_shows_in_a_problem(folder, text, value):
    with pytest.raises(ConfigError) as caught:
        settings(folder, text.replace("{}", value.format(PLANTED)))
    assert PLANTED not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        (LEAST + f'[web]\npassword = "{PLANTED}"', {}),
        (LEAST + f'[email.smtp]\npasswrod = "{PLANTED}"', {}),
        (f'database = "postgresql://user:{PLANTED}@host/name"\n' + LEAST, {}),
        (LEAST + f'[database]\nurl = "mysql://user:{PLANTED}@host/name"', {}),
        (LEAST.replace("news.test", f"user:{PLANTED}@news.test/ x"), {}),
        (LEAST.replace("news.test", f"user:{PLANTED}@news.test"), {}),
        (f'secrets_old = "{PLANTED}"\n' + LEAST, {}),
        (f'secrets_old = ["{PLANTED}", {{ file = "{PLANTED}", env = "x" }}]\n' + LEAST, {}),
        (f'secrets_old = ["{PLANTED[:15]}"]\n' + LEAST, {}),
        (LEAST, {"SYNDICATE_EMAIL": PLANTED}),
        (LEAST, {"SYNDICATE_SECRETS_OLD": PLANTED}),
        (LEAST, {"SYNDICATE_SECRETS_OLD": f'["{PLANTED}"'}),
        (LEAST, {"SYNDICATE_WEBHOOKS": f'[{{"secret": "{PLANTED}"'}),
        (LEAST, {"SYNDICATE_EMAIL__SMTP__PASWORD": PLANTED}),
        (LEAST, {"SYNDICATE_EMAIL__SMTP__PASSWORD__X": PLANTED}),
    ],
)
def test_no_secret_in_the_wrong_place_shows_in_a_problem(folder, text, environ):
    with pytest.raises(ConfigError) as caught:
        settings(folder, text, **environ)
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "seen", "hidden"),
    [
        ("postgresql://u:p4ss@h/d", "postgresql://u:********@h/d", ["p4ss"]),
        ("postgresql://u:a@b/c@h/d", "postgresql://u:********@h/d", ["a@b/c"]),
        ("postgresql://u:p%40ss@h/d", "postgresql://u:********@h/d", ["p%40ss", "p@ss"]),
        ("postgresql://h/d?user=u&password=p4ss&x=1", "postgresql://h/d?user=u&password=********&x=1", ["p4ss"]),
        ("postgresql://u@h:5432/d", "postgresql://u@h:5432/d", []),
    ],
)
def test_a_database_address_shows_all_but_its_password(url, seen, hidden):
    assert str(DatabaseUrl(url)) == seen
    assert [secret.reveal() for secret in DatabaseUrl(url).passwords()] == hidden


# -- before anything starts --------------------------------------------------------------------------------------------

LIVE = LEAST + '[email]\nlive = true\npostal_address = "1 Road, Town"\n'


@pytest.mark.parametrize(
    ("text", "keys_"),
    [
        (LIVE + 'sender = "News <news@courier.de>"', []),
        (LIVE, ["email.sender"]),
        (LIVE + 'sender = "a@mail.EXAMPLE.com"', ["email.sender"]),
        (LIVE + 'sender = "a@notexample.com"', []),
        (LIVE.replace("1 Road, Town", " "), ["email.sender", "email.postal_address"]),
        (LIVE.replace("true", "false").replace("1 Road, Town", ""), []),
        # a test site writes from a reserved domain to reserved domains; a public one cannot
        (LIVE + 'sender = "a@site.test"', []),
        (LIVE + 'sender = "a@site.test"\n[web]\npublic_url = "https://news.courier.de"', ["email.sender"]),
        (LIVE + 'sender = "a@site.test"\n[web]\npublic_url = "https://news.site.test"', []),
    ],
)
def test_live_mail_needs_a_sender_of_ones_own_and_a_postal_address(folder, text, keys_):
    assert [problem.key for problem in problems_at_start(settings(folder, text))] == keys_


def test_public_channels_are_known_by_name_and_key(folder):
    hooks = [f'[[webhooks]]\nname = "{name}"\nurl = "https://{name}.test/in?key=hush"' for name in ("one", "two")]
    found = settings(folder, "\n".join([LEAST, "[email]", "[linkedin]", *hooks, 'secret = "s"', "live = true"]))
    assert {name: found.key_of(name) for name in found.publics} == {
        "linkedin": "linkedin", "one": "webhooks.0", "two": "webhooks.1",
    }  # fmt: skip
    assert found.channels == {"email": False, "linkedin": False, "one": False, "two": True}
    assert found.publics["one"].describe().startswith("live at one.test, unsigned")
    assert found.publics["two"].describe() == "live at two.test, signed"


@pytest.mark.parametrize(
    ("digest", "told"),
    [
        ('proof = "1h"', ""),
        ('schedule = "0 9 * * *"\nproof = "24h"', "is as long as from one slot to the next"),
        ('schedule = "0 9,12 * * FRI"\nproof = "3h"', "is as long as from one slot to the next"),
        ('schedule = "0 9 1 1 *"\nproof = "20d"', ""),
        ('schedule = "each"\nproof = "1h"', "use approve = true"),
        ('schedule = "each"\nlate_limit = "10m"', "review.delay"),
        ('schedule = "each"\nlate_limit = "11m"\napprove = true', ""),
    ],
)
def test_a_proof_needs_a_slot_to_come_before_and_a_letter_of_its_own_time_to_be_written(folder, digest, told):
    text = f'{LEAST}\n[[digests]]\n{digest}\n[email]\n[alerts]\nemail = "me@site.test"'
    found = problems_at_start(settings(folder, text))
    assert [problem.key.startswith("digests.0.") and told in problem.text for problem in found] == [True] * bool(told)


def test_a_proof_needs_somebody_who_is_shown_it(folder):
    (problem,) = problems_at_start(settings(folder, f'{LEAST}\n[[digests]]\nproof = "1h"'))
    assert (problem.key, "alerts.email" in problem.text) == ("digests.0.proof", True)


@pytest.mark.parametrize(
    ("text", "keys_"),
    [
        ('[alerts]\nemail = "a@b.test"', ["alerts.email"]),
        ('[email]\n[alerts]\nemail = "a@b.test"', []),
        ('[alerts]\nwebhook = "https://a.test"', []),
    ],
)
def test_alerts_by_mail_need_a_mail_server(folder, text, keys_):
    assert [problem.key for problem in problems_at_start(settings(folder, LEAST + text))] == keys_


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9/", True),
        ("http://localhost", True),
        ("http://news.localhost", True),
        ("http://LOCALHOST.", True),
        ("http://[::1]:80", True),
        ("http://[::ffff:127.0.0.1]", True),
        ("http://0.0.0.0", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://127.0.0.1@example.org", False),
        ("https://news.test", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_loopback_addresses_are_told_by_their_spelling(url, expected):
    assert is_loopback_url(url) is expected


def test_reserved_domains_can_be_nobodys():
    assert all(map(is_reserved_domain, ["a.test", "b.example", "c.invalid", "d.localhost", "TEST."]))
    assert not any(map(is_reserved_domain, ["example.org", "test.org", "attest", ""]))
