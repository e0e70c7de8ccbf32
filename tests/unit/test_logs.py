"""Log lines: readable, one an event, and without secrets whatever way they take."""

import io
import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from syndicate import logs
from syndicate.config import Secret

PLANTED = "correct-horse-battery-staple"
AWKWARD = 'Zwölf "Boxkämpfer"\\jagen & <Viktor>\tquer'
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEA\n-----END PRIVATE KEY-----\n"


@pytest.fixture(autouse=True)
def restored():
    """Leave the process's logging as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    hidden, pattern = set(logs._hidden), logs._hidden_pattern
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logs._hidden.clear()
    logs._hidden.update(hidden)
    logs._hidden_pattern = pattern


@pytest.fixture(params=[False, True], ids=["lines", "json"])
def stream(request):
    stream = io.StringIO()
    logs.setup(1, request.param, stream)
    return stream


def written(*, as_json: bool, verbosity: int = 0) -> io.StringIO:
    stream = io.StringIO()
    logs.setup(verbosity, as_json, stream)
    return stream


def test_a_line_has_time_level_event_and_facts():
    stream = written(as_json=False)
    logs.get("syndicate.deliver").bind(channel="linkedin").info(
        "delivered", delivery=12, ok=True, url=None, words="two words"
    )
    line = stream.getvalue()
    moment, rest = line[:24], line[25:]
    assert moment[10] == "T"
    assert moment[-1] == "Z"
    assert rest == 'info    delivered channel=linkedin delivery=12 ok=true url=null words="two words"\n'


def test_json_has_the_same_facts_with_their_types():
    stream = written(as_json=True)
    logs.get("syndicate.deliver").info(
        "delivered", delivery=12, ok=True, url=None, people={"sent": [1, 2.5]}, bad=float("nan")
    )
    found = json.loads(stream.getvalue())
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "info",
        "event": "delivered",
        "delivery": 12,
        "ok": True,
        "url": None,
        "people": {"sent": [1, 2.5]},
        "bad": "nan",
        "logger": "syndicate.deliver",
    }


def test_a_field_named_like_a_part_of_the_line_keeps_both():
    stream = written(as_json=True)
    logs.get("x").info("seen", level="high", event="fair", _record=1)
    found = json.loads(stream.getvalue())
    assert (found["level"], found["level_"], found["event"], found["event_"]) == ("info", "high", "seen", "fair")


def test_binding_leaves_the_first_logger_as_it_was():
    stream = written(as_json=True)
    first = logs.get("x")
    first.bind(a=1).bind(b=2)
    first.info("seen")
    assert not {"a", "b"} & json.loads(stream.getvalue()).keys()


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [(-1, ["warning", "error"]), (0, ["info", "warning", "error"]), (1, ["debug", "info", "warning", "error"])],
)
def test_verbosity_chooses_what_is_shown(verbosity, expected):
    stream = written(as_json=True, verbosity=verbosity)
    log = logs.get("syndicate.x")
    for level in ("debug", "info", "warning", "error"):
        getattr(log, level)("seen")
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == expected


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "apscheduler.executors.default"])
def test_chatty_libraries_are_heard_only_when_something_is_wrong(stream, name):
    logging.getLogger(name).info("HTTP Request: GET https://api.test/bot%s", 1)
    assert stream.getvalue() == ""
    logging.getLogger(name).warning("trouble")
    assert "trouble" in stream.getvalue()


def test_lines_of_libraries_look_like_ours():
    stream = written(as_json=True)
    logging.getLogger("library").warning("lost %d of %s", 3, "four")
    found = json.loads(stream.getvalue())
    assert (found["event"], found["level"], found["logger"]) == ("lost 3 of four", "warning", "library")


def test_the_last_setup_counts():
    first = written(as_json=False)
    second = written(as_json=False)
    logs.get("x").info("seen")
    assert first.getvalue() == ""
    assert second.getvalue().count("seen") == 1


def test_importing_the_module_and_getting_a_logger_is_cheap():
    code = (
        "import sys; from syndicate import logs; log = logs.get('x'); log.info('unseen');"
        "logs.setup(0, False, sys.stderr); print(sorted({'structlog', 'rich', 'pydantic'} & sys.modules.keys()));"
        "log.info('seen')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert "unseen" not in done.stderr
    assert "seen" in done.stderr


# -- hostile texts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "evil", ["a\nb", "a\r\nb", "\x1b[31m", "\x00", "a\u2028b", "\u202eevil", "\x9b31m", "\ud800", "\x85"]
)
def test_control_characters_are_escaped_wherever_they_stand(stream, evil):
    logs.get("x").info(f"event {evil}", field=evil, nested=[{"key": evil}], **{evil: 1})
    logging.getLogger("library").warning("%s", evil)
    lines = stream.getvalue()
    assert lines.count("\n") == 2
    assert all(line.isprintable() for line in lines.split("\n"))


def test_an_exception_cannot_pose_as_a_line_of_its_own():
    stream = written(as_json=False)
    try:
        raise ValueError("x\n2026-01-01T00:00:00.000Z info    forged\r\x1b[31m")
    except ValueError:
        logs.get("x").exception("failed", delivery=1)
    first, *bars = stream.getvalue().splitlines()
    assert first.endswith("error   failed delivery=1")
    assert len(bars) > 3
    assert all(line.startswith("  | ") and line.isprintable() for line in bars)


def test_an_exception_in_json_is_one_line_with_the_traceback():
    stream = written(as_json=True)
    try:
        raise ValueError("broken")
    except ValueError:
        logs.get("x").exception("failed")
    assert json.loads(stream.getvalue())["exception"].endswith("ValueError: broken")


def test_a_very_long_value_is_cut(stream):
    logs.get("x").info("seen", answer="x" * 100_000)
    assert len(stream.getvalue()) < 3000


def test_a_line_that_cannot_be_made_is_reported_without_its_arguments(stream, capsys):
    class Broken:
        def __str__(self):
            raise RuntimeError(PLANTED)

    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if isinstance(handler, logs._Handler)]  # not pytest's
    logging.getLogger("library").warning("%d pieces", PLANTED)
    logs.get("x").info("seen", thing=Broken())
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert all("log-line-lost" in line for line in lines)
    assert PLANTED not in stream.getvalue() + capsys.readouterr().err


def test_a_stream_that_is_gone_stops_nobody(capsys):
    stream = io.StringIO()
    logs.setup(0, False, stream)
    stream.close()
    logs.get("x").info("seen")
    assert capsys.readouterr().err == ""


def test_a_stream_that_cannot_spell_a_character_gets_it_escaped():
    raw = io.BytesIO()
    logs.setup(0, False, io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    logs.get("x").info("seen", title="Zwölf")
    assert rb"title=Zw\xf6lf" in raw.getvalue()


# -- secrets -----------------------------------------------------------------------------------------------------------


def everything(secret: str) -> None:
    """Log a secret in all the ways it could slip through."""
    from urllib.parse import quote, quote_plus

    log = logs.get("x")
    log.info(
        f"event {secret}", field=secret, nested={"list": [secret, (secret,)]}, data=secret.encode(), repr=repr(secret)
    )
    log.info("address", plain=f"https://a.test/{quote(secret)}?x={quote_plus(secret)}", body=json.dumps({"x": secret}))
    log.bind(bound=secret).warning("bound")
    logging.getLogger("library").warning("%s and %r", secret, {"x": secret})
    try:
        try:
            raise KeyError(secret)
        except KeyError as error:
            raise RuntimeError(f"while doing {secret}") from error
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("library").exception("failed too")


def spellings(secret: str) -> list[str]:
    return [secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], repr(secret.encode())[2:-1]]


@pytest.mark.parametrize("secret", [PLANTED, AWKWARD, "12345678", "a+b/c=="])
def test_a_hidden_secret_is_in_no_line(stream, secret):
    everything(secret)
    assert any(spelling in stream.getvalue() for spelling in spellings(secret))  # so the next lines can fail
    stream.truncate(0)
    stream.seek(0)
    logs.hide(Secret(secret))
    everything(secret)
    lines = stream.getvalue()
    assert "****" in lines
    for spelling in spellings(secret):
        assert spelling not in lines


def test_json_stays_json_when_a_number_is_a_secret():
    stream = written(as_json=True)
    logs.hide("123456")
    logs.get("x").info("seen", code=123456, other=12)
    found = json.loads(stream.getvalue())
    assert found["code"] == logs.STARS
    assert found["other"] == 12


def test_the_lines_of_a_hidden_key_are_hidden_one_by_one(stream):
    logs.hide(PEM)
    for line in PEM.splitlines():
        logs.get("x").info("seen", line=line)
    logs.get("x").info("seen", key=PEM)
    assert "MIIE" not in stream.getvalue()
    assert "AQEF" not in stream.getvalue()


def test_an_empty_or_tiny_secret_leaves_lines_alone(stream):
    logs.hide(Secret(), "", "a", " ")
    logs.get("x").info("a banana")
    assert "a banana" in stream.getvalue()


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_characters="*"), min_size=8, max_size=40), st.booleans())
def test_any_hidden_text_is_gone(secret, as_json):
    stream = written(as_json=as_json)
    logs.hide("\N{SNOWMAN}" + secret)
    logs.get("x").info("seen", field=f"<\N{SNOWMAN}{secret}>", nested=[{"x": "\N{SNOWMAN}" + secret}])
    assert "\N{SNOWMAN}" not in stream.getvalue()
    assert json.dumps("\N{SNOWMAN}")[1:-1] not in stream.getvalue()
    assert not as_json or json.loads(stream.getvalue())["field"] == f"<{logs.STARS}>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def-ghi_jkl", "Authorization: Bearer ********"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic ********"),
        ("GET /unsubscribe/AbC-dEf_123?x=1 200", "GET /unsubscribe/********?x=1 200"),
        ("https://a.test/preferences/AbCdEf", "https://a.test/preferences/********"),
        ("POST /confirm/AbCdEf/", "POST /confirm/********/"),
        ("GET /confirm", "GET /confirm"),
        ("postgresql://user:p4ssw0rd@host/name", "postgresql://user:********@host/name"),
        ("https://a.test:8080/x@y", "https://a.test:8080/x@y"),
        ("?access_token=abc&b=1", "?access_token=********&b=1"),
        ("client_secret=abc", "client_secret=********"),
        ('{"access_token": "abc", "expires_in": 60}', '{"access_token": "********", "expires_in": 60}'),
        ("{'password': 'abc'}", "{'password': '********'}"),
        ("/callback?code=abc&state=x", "/callback?code=********&state=x"),
        ("linkedin.access_token: is missing", "linkedin.access_token: is missing"),
        ("status code=200", "status code=200"),
    ],
)
def test_what_looks_like_a_secret_is_starred(text, shown):
    assert logs.mask(text) == shown


def test_a_field_named_like_a_secret_is_starred(stream):
    logs.get("x").info(
        "seen", token=PLANTED, headers={"Authorization": PLANTED, "X-Api-Key": PLANTED, "set-cookie": PLANTED}
    )
    assert PLANTED not in stream.getvalue()
    assert stream.getvalue().count(logs.STARS) == 4
