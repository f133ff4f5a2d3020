"""TOPIC and VALUE, and what is said of them beside a stream file."""

from pathlib import Path

import pytest

from config.settings import InvalidSettings, load_settings
from config.topic_setting import not_read
from scheduler_app.management import main

pytestmark = pytest.mark.usefixtures("restored_log")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "streams.toml"
    path.write_text('[[stream]]\ntopic = "home/+/temp"\n')
    return path


def names(value: str) -> list[tuple[str, str]]:
    [stream] = load_settings({"topic": "a", "value": value}).streams
    return [(str(one.path), one.name) for one in stream.values]


def test_one_value_is_the_series_of_its_topic_and_several_have_names() -> None:
    assert names("temperature") == [("temperature", "")]
    assert names("ENERGY.Power, humidity") == [("ENERGY/Power", "ENERGY/Power"), ("humidity", "humidity")]


def test_a_star_is_every_number() -> None:
    [one, two] = load_settings({"topic": "a,b", "value": "*"}).streams
    assert one.every_number
    assert two.every_number
    assert (one.topic, two.topic) == ("a", "b")


def test_without_it_a_topic_is_read_as_ever() -> None:
    [stream] = load_settings({"topic": "a"}).streams
    assert stream.plain


@pytest.mark.parametrize("value", ["a..b", "a,a", "a,", "$.a", "a,*", ""])
def test_a_value_that_is_no_path_is_told(value: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings({"value": value})
    assert str(caught.value).startswith(f"VALUE={value} must ")
    assert "\n" not in str(caught.value)


def test_beside_a_stream_file_it_is_one_clear_error(file: Path) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings({"value": "a", "streams_file": str(file)})
    assert str(caught.value).startswith(f"VALUE=a must not stand beside STREAMS_FILE={file}, ")
    assert "\n" not in str(caught.value)


def test_a_topic_is_read_if_one_stream_has_all_of_it(file: Path) -> None:
    streams = load_settings({"streams_file": str(file)}).streams
    assert not_read(["home/attic/temp", "home/+/temp", "$share/g/home/a/temp"], streams) == []
    assert not_read(["home/attic", "home/#", "home/+/+"], streams) == ["home/attic", "home/#", "home/+/+"]


def try_it(file: Path, *arguments: str) -> int:
    return main(["manage.py", "try", "home/a/temp", "1", "--streams-file", str(file), *arguments])


def test_a_topic_on_the_command_line_that_no_stream_reads_is_an_error(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert try_it(file, "--topic", "attic") == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"Error: TOPIC=attic is not read, since STREAMS_FILE={file} takes the place of TOPIC"
    )
    assert len(error.splitlines()) == 1


def test_a_topic_on_the_command_line_that_a_stream_reads_is_warned_of(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert try_it(file, "--topic", "home/a/temp") == 0
    [line] = capsys.readouterr().err.splitlines()
    assert f"STREAMS_FILE={file} takes the place of TOPIC: what else its streams name is read too" in line


def test_a_topic_in_the_environment_is_warned_of_only_if_it_is_not_read(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPIC", "attic")
    assert try_it(file) == 0
    [line] = capsys.readouterr().err.splitlines()
    assert "| WARNING | try: TOPIC=attic is not read, since" in line
    monkeypatch.setenv("TOPIC", "home/a/temp")
    assert try_it(file) == 0
    assert capsys.readouterr().err == ""


def test_without_a_topic_nothing_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert try_it(file) == 0
    assert capsys.readouterr().err == ""
